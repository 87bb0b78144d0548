//! A text of the input, before it is evaluated.

use super::parse::{Argument, Pipeline, Segment, parse};

/// A text of the input: what a person wrote, which may hold Go templates, and actions that came from elsewhere as values (an
/// expression of HCL, a function of CloudFormation).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Template(Vec<Fragment>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fragment {
    /// Text as it was written.
    Text(String),
    Action(Pipeline),
}

impl Template {
    /// Text as it was written.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![Fragment::Text(text)] })
    }

    /// An action alone.
    pub(crate) fn action(action: Pipeline) -> Self {
        Self(vec![Fragment::Action(action)])
    }

    pub(crate) fn fragments(&self) -> &[Fragment] {
        &self.0
    }

    /// Adds another template at the end.
    pub(crate) fn extend(&mut self, other: Self) {
        for fragment in other.0 {
            match (self.0.last_mut(), fragment) {
                (Some(Fragment::Text(last)), Fragment::Text(text)) => last.push_str(&text),
                (_, fragment) => self.0.push(fragment),
            }
        }
    }

    /// The text as it was written, when all of it is text.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Fragment::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What was written as text, without the actions between.
    pub(crate) fn written(&self) -> String {
        self.0
            .iter()
            .filter_map(|part| if let Fragment::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }

    /// The first text of it.
    pub(crate) fn start(&self) -> &str {
        match self.0.first() {
            Some(Fragment::Text(text)) => text,
            _ => "",
        }
    }

    /// What is before and after a character of the first text: `NAME=VALUE`.
    pub(crate) fn split_once(&self, separator: char) -> Option<(&str, Self)> {
        let (name, rest) = self.start().split_once(separator)?;
        let mut value = Self::text(rest);
        value.extend(Self(self.0[1..].to_vec()));
        Some((name, value))
    }

    /// The parts between the occurrences of a character. Text that holds a Go template is split inside of it too, as Packer does.
    pub(crate) fn split(&self, separator: char) -> Vec<Self> {
        let mut parts = vec![Self::default()];
        for fragment in &self.0 {
            let mut add = |part: Self| {
                if let Some(last) = parts.last_mut() {
                    last.extend(part);
                }
            };
            match fragment {
                Fragment::Action(action) => add(Self::action(action.clone())),
                Fragment::Text(text) => {
                    for (at, piece) in text.split(separator).enumerate() {
                        if at > 0 {
                            parts.push(Self::default());
                        }
                        if let Some(last) = parts.last_mut() {
                            last.extend(Self::text(piece));
                        }
                    }
                }
            }
        }
        parts
    }

    /// The argument of a function, when the template is nothing but a call of it with one text.
    pub(crate) fn call_of(&self, function: &str) -> Option<String> {
        let segments = parse(self).ok()?;
        let blank = |segment: &&Segment| !matches!(segment, Segment::Text(text) if text.trim().is_empty());
        let calls: Vec<&Segment> = segments.iter().filter(blank).collect();
        let [Segment::Action(pipeline)] = calls.as_slice() else { return None };
        argument_of(pipeline, function).map(str::to_owned)
    }

    /// Whether one of the functions is called somewhere in it.
    pub(crate) fn calls_any(&self, functions: &[&str]) -> bool {
        parse(self).is_ok_and(|segments| segments.iter().any(|segment| calls(segment, functions)))
    }

    /// The texts that actions call a function with.
    pub(crate) fn arguments_of<'t>(&'t self, function: &str) -> impl Iterator<Item = &'t str> {
        self.0.iter().filter_map(move |fragment| match fragment {
            Fragment::Action(action) => action.first().and_then(|command| command_argument(command, function)),
            Fragment::Text(_) => None,
        })
    }

    /// How long it is, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|part| if let Fragment::Text(text) = part { text.len() } else { 32 }).sum()
    }
}

fn calls(segment: &Segment, functions: &[&str]) -> bool {
    let in_pipeline = |pipeline: &Pipeline| {
        pipeline
            .iter()
            .any(|command| matches!(command.first(), Some(Argument::Name(name)) if functions.contains(&name.as_str())))
    };
    match segment {
        Segment::Text(_) => false,
        Segment::Action(pipeline) => in_pipeline(pipeline),
        Segment::If { condition, then, otherwise } => {
            in_pipeline(condition) || then.iter().chain(otherwise).any(|segment| calls(segment, functions))
        }
    }
}

/// The text that a pipeline of one command calls a function with.
fn argument_of<'p>(pipeline: &'p Pipeline, function: &str) -> Option<&'p str> {
    let [command] = pipeline.as_slice() else { return None };
    command_argument(command, function)
}

fn command_argument<'p>(command: &'p [Argument], function: &str) -> Option<&'p str> {
    match command {
        [Argument::Name(name), Argument::Text(text)] if name == function => Some(text),
        _ => None,
    }
}

/// The call of a function with one text: `function text`.
pub(crate) fn call(function: &str, text: impl Into<String>) -> Pipeline {
    vec![vec![Argument::Name(function.to_owned()), Argument::Text(text.into())]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_split_at_their_text() {
        let mut template = Template::text("A=1,B=");
        template.extend(Template::action(call("user", "x,y")));
        template.extend(Template::text(",C"));
        let parts = template.split(',');
        assert_eq!(parts.len(), 3);
        let (name, value) = parts[1].split_once('=').unwrap();
        assert_eq!((name, value.call_of("user").as_deref()), ("B", Some("x,y")));
        assert_eq!(template.written(), "A=1,B=,C");
        assert!(template.arguments_of("user").eq(["x,y"]) && template.literal().is_none());
        assert_eq!(Template::text(" {{ env `A` }} ").call_of("env").as_deref(), Some("A"));
        assert!(Template::text("x{{ vault `a` `b` }}").calls_any(&["vault"]));
    }
}
