//! Texts of the input before evaluation.

use super::parse::{Argument, Pipeline, Segment, parse};

/// A text of the input: written text, which may contain Go templates, and actions that were converted from other syntax
/// (an expression of HCL, a function of CloudFormation).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Template(Vec<Fragment>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fragment {
    /// Text as written.
    Text(String),
    Action(Pipeline),
}

impl Template {
    /// A template of written text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![Fragment::Text(text)] })
    }

    /// A template of a single action.
    pub(crate) fn action(action: Pipeline) -> Self {
        Self(vec![Fragment::Action(action)])
    }

    pub(crate) fn fragments(&self) -> &[Fragment] {
        &self.0
    }

    /// Appends another template.
    pub(crate) fn extend(&mut self, other: Self) {
        for fragment in other.0 {
            match (self.0.last_mut(), fragment) {
                (Some(Fragment::Text(last)), Fragment::Text(text)) => last.push_str(&text),
                (_, fragment) => self.0.push(fragment),
            }
        }
    }

    /// The text as written, if the template has no actions.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Fragment::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The written text without the actions in it.
    pub(crate) fn written(&self) -> String {
        self.0
            .iter()
            .filter_map(|part| if let Fragment::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }

    /// The first written text in the template.
    pub(crate) fn start(&self) -> &str {
        match self.0.first() {
            Some(Fragment::Text(text)) => text,
            _ => "",
        }
    }

    /// Splits the first text at a character: `NAME=VALUE`.
    pub(crate) fn split_once(&self, separator: char) -> Option<(&str, Self)> {
        let (name, rest) = self.start().split_once(separator)?;
        let mut value = Self::text(rest);
        value.extend(Self(self.0[1..].to_vec()));
        Some((name, value))
    }

    /// Splits the template at each occurrence of a character, even inside Go templates, as Packer does.
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

    /// The argument, if the template is nothing but a call of this function with one text.
    pub(crate) fn call_of(&self, function: &str) -> Option<String> {
        let segments = parse(self).ok()?;
        let blank = |segment: &&Segment| !matches!(segment, Segment::Text(text) if text.trim().is_empty());
        let calls: Vec<&Segment> = segments.iter().filter(blank).collect();
        let [Segment::Action(pipeline)] = calls.as_slice() else { return None };
        argument_of(pipeline, function).map(str::to_owned)
    }

    /// Whether one of the functions is called anywhere in the template.
    pub(crate) fn calls_any(&self, functions: &[&str]) -> bool {
        parse(self).is_ok_and(|segments| segments.iter().any(|segment| calls(segment, functions)))
    }

    /// The texts with which actions call a function.
    pub(crate) fn arguments_of<'t>(&'t self, function: &str) -> impl Iterator<Item = &'t str> {
        self.0.iter().filter_map(move |fragment| match fragment {
            Fragment::Action(action) => action.first().and_then(|command| command_argument(command, function)),
            Fragment::Text(_) => None,
        })
    }

    /// Size in bytes.
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

/// The text with which a pipeline of a single command calls a function.
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

/// A call of a function with one text: `function text`.
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
