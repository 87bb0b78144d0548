//! References in a document, `{{ … }}` (user guide, toe-user-defined-variables and toe-chaining).

use std::ops::Range;

/// Keys of `context:`.
pub(crate) const CONTEXT: [&str; 10] =
    ["executionId", "osPlatform", "osName", "osVersion", "date", "dateTime", "uuid", "hostname", "phase", "step"];
/// The variables of Image Builder that have a meaning here.
pub(crate) const ENVIRONMENT: [&str; 1] = ["IMAGE_PHASE"];
/// Parts of the instance metadata that AWSTOE does not read.
pub(crate) const REFUSED_METADATA: [&str; 2] = ["iam/", "identity-credentials/"];
/// A reference: the content of a pair of double braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// A parameter or constant, or text that looks like one.
    Variable(&'a str),
    /// `NAME.index` or `NAME.value`.
    Turn { name: &'a str, value: bool },
    /// `PHASE.STEP.outputs.FIELD`
    Output { phase: &'a str, step: &'a str, field: &'a str },
    /// `PHASE.STEP.inputs…`, with the path into the inputs.
    Input { phase: &'a str, step: &'a str, path: Vec<Part<'a>> },
    /// `env:NAME`
    Env(&'a str),
    /// `aws:ssm:NAME`
    Parameter(&'a str),
    /// `aws:ssm:resolve(NAME)`: the parameter that a variable names.
    ParameterOf(&'a str),
    /// `aws:imds:PATH`
    Metadata(&'a str),
    /// `context:KEY`
    Context(&'a str),
    /// Not a reference of AWSTOE, so it is not replaced.
    Other,
}

/// A component of a path into inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

/// The references of a text, each with its range and the text between the braces.
pub(crate) fn references(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find("{{")?;
        let length = text.get(start..)?.find("}}")?;
        // The innermost pair: `{{{ x }}}` has a literal brace around it.
        let inner_start = text[start..start + length].rfind("{{").map_or(start, |at| start + at);
        from = start + length + 2;
        Some((inner_start..from, text[inner_start + 2..start + length].trim()))
    })
}

/// Parses a reference. `phases` are the document's.
pub(crate) fn parse<'a>(inner: &'a str, phases: &[&str]) -> Reference<'a> {
    if let Some(rest) = inner.strip_prefix("aws:ssm:") {
        return match rest.strip_prefix("resolve(").and_then(|rest| rest.strip_suffix(')')) {
            Some(name) => Reference::ParameterOf(name.trim()),
            None => Reference::Parameter(rest.trim()),
        };
    }
    for (prefix, make) in [
        ("env:", Reference::Env as fn(&'a str) -> Reference<'a>),
        ("aws:imds:", Reference::Metadata),
        ("context:", Reference::Context),
    ] {
        if let Some(rest) = inner.strip_prefix(prefix) {
            return make(rest.trim());
        }
    }
    if is_name(inner) {
        return Reference::Variable(inner);
    }
    if let Some((name, field)) = inner.split_once('.')
        && is_name(name)
        && matches!(field, "index" | "value")
    {
        return Reference::Turn { name, value: field == "value" };
    }
    chained(inner, phases).unwrap_or(Reference::Other)
}

fn chained<'a>(inner: &'a str, phases: &[&str]) -> Option<Reference<'a>> {
    let phase = phases.iter().find(|phase| inner.strip_prefix(**phase).is_some_and(|rest| rest.starts_with('.')))?;
    let (phase, rest) = (&inner[..phase.len()], &inner[phase.len() + 1..]);
    if let Some((step, field)) = rest.split_once(".outputs.") {
        return Some(Reference::Output { phase, step, field: field.trim_end_matches("[0]") });
    }
    let (step, rest) = rest.split_once(".inputs")?;
    let mut path = Vec::new();
    for part in rest.split('.') {
        let (key, indices) = part.split_once('[').unwrap_or((part, ""));
        if !key.is_empty() {
            path.push(Part::Key(key));
        }
        for index in indices.split('[').filter(|index| !index.is_empty()) {
            path.push(Part::Index(index.strip_suffix(']')?.trim().parse().ok()?));
        }
    }
    Some(Reference::Input { phase, step, path })
}

/// A text with references replaced: those known before a bake by their value, the others by `*`.
pub(crate) fn fill_known(text: &str, known: &dyn Fn(&str) -> Option<String>) -> String {
    let mut whole = String::new();
    let mut from = 0;
    for (range, inner) in references(text) {
        whole.push_str(&text[from..range.start]);
        whole.push_str(&known(inner).unwrap_or_else(|| "*".to_owned()));
        from = range.end;
    }
    whole.push_str(&text[from..]);
    whole
}

/// Whether a text can be the name of a parameter, a constant or a loop.
fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !text.is_empty() && text.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        references(text)
            .map(|(range, inner)| {
                assert!(text[range].starts_with("{{"));
                inner
            })
            .collect()
    }

    #[test]
    fn references_are_found_in_text() {
        assert_eq!(all("a {{ x }} b {{y}}{{ z"), ["x", "y"]);
        assert_eq!(all("{{{ x }}} {{ {{ y }} }}"), ["x", "y"]);
        assert_eq!(all("${X} {a: {b: 1}}"), Vec::<&str>::new());
        assert_eq!(all("ä{{ü}}"), ["ü"]);
    }

    #[test]
    fn each_form_is_known() {
        let phases = ["build", "validate"];
        let of = |text: &'static str| parse(text, &phases);
        assert_eq!(of("My-Name_1"), Reference::Variable("My-Name_1"));
        assert_eq!(of("loop.value"), Reference::Turn { name: "loop", value: true });
        assert_eq!(of("mine.index"), Reference::Turn { name: "mine", value: false });
        assert_eq!(
            of("build.a step.v1.outputs.stdout"),
            Reference::Output { phase: "build", step: "a step.v1", field: "stdout" }
        );
        let path = vec![Part::Index(0), Part::Key("destination")];
        assert_eq!(of("build.D.inputs[0].destination"), Reference::Input { phase: "build", step: "D", path });
        let path = vec![Part::Key("commands"), Part::Index(1)];
        assert_eq!(of("validate.E.inputs.commands[1]"), Reference::Input { phase: "validate", step: "E", path });
        assert_eq!(of("aws:ssm:/a/b"), Reference::Parameter("/a/b"));
        assert_eq!(of("aws:ssm:resolve( Name )"), Reference::ParameterOf("Name"));
        assert_eq!(of("env:IMAGE_PHASE"), Reference::Env("IMAGE_PHASE"));
        assert_eq!(of("context:date"), Reference::Context("date"));
        for other in ["", ".Names", "json .State", "build", "test.a.outputs.stdout", "x | lower"] {
            let expected = if other == "build" { Reference::Variable("build") } else { Reference::Other };
            assert_eq!(of(other), expected, "{other}");
        }
    }
}
