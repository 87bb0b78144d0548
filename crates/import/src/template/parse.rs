//! Parses Go templates: the part of Go's text/template that Packer templates use. Hand-written, since no crate
//! separates parsing Packer's functions from evaluating them.

use super::text::{Fragment, Template};

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    Text(String),
    Action(Pipeline),
    If { condition: Pipeline, then: Vec<Segment>, otherwise: Vec<Segment> },
}

/// Commands, each of which gets the result of the previous one as its last argument.
pub(crate) type Pipeline = Vec<Vec<Argument>>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Text(String),
    Number(i64),
    /// `.Name`, split at dots.
    Field(Vec<String>),
    Name(String),
    Group(Pipeline),
}

/// Maximum nesting of parentheses and `if`s.
const DEEPEST: usize = 20;

/// Parses a template.
///
/// # Errors
/// Why the text is invalid, as a sentence fragment.
pub(crate) fn parse(template: &Template) -> Result<Vec<Segment>, String> {
    let mut stack: Vec<Frame> = vec![Frame::default()];
    for fragment in template.fragments() {
        match fragment {
            Fragment::Text(text) => written(text, &mut stack)?,
            Fragment::Action(action) => push(&mut stack, Segment::Action(action.clone())),
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(frame), true) => Ok(frame.segments),
        _ => Err("an `if` has no `end`".to_owned()),
    }
}

/// Adds the segments of a text to the innermost frame.
fn written(text: &str, stack: &mut Vec<Frame>) -> Result<(), String> {
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        push_text(stack, &rest[..open]);
        let inner = &rest[open + 2..];
        let close = closing(inner).ok_or("an action `{{` is not closed")?;
        let mut action = inner[..close].trim();
        rest = &inner[close + 2..];
        if let Some(trimmed) = action.strip_prefix('-').filter(|action| action.starts_with(char::is_whitespace)) {
            action = trimmed.trim();
            trim_end(stack);
        }
        if let Some(trimmed) = action.strip_suffix('-').filter(|action| action.ends_with(char::is_whitespace)) {
            action = trimmed.trim();
            rest = rest.trim_start();
        }
        if action.starts_with("/*") {
            continue;
        }
        let word = action.split_whitespace().next().unwrap_or_default();
        match word {
            "if" => {
                if stack.len() > DEEPEST {
                    return Err("the `if`s are nested too deeply".to_owned());
                }
                let condition = pipeline(&action[2..])?;
                stack.push(Frame { condition: Some(condition), ..Frame::default() });
            }
            "else" if action == "else" => {
                let frame = stack.last_mut().filter(|frame| frame.condition.is_some() && frame.then.is_none());
                let frame = frame.ok_or("an `else` without an `if`")?;
                frame.then = Some(std::mem::take(&mut frame.segments));
            }
            "end" => {
                let frame = stack.pop().filter(|_| !stack.is_empty()).ok_or("an `end` without an `if`")?;
                let condition = frame.condition.ok_or("an `end` without an `if`")?;
                let (then, otherwise) = match frame.then {
                    Some(then) => (then, frame.segments),
                    None => (frame.segments, Vec::new()),
                };
                push(stack, Segment::If { condition, then, otherwise });
            }
            "else" | "range" | "with" | "define" | "template" | "block" => {
                return Err(format!("`{{{{ {word} }}}}` is not supported"));
            }
            _ => {
                let pipeline = pipeline(action)?;
                push(stack, Segment::Action(pipeline));
            }
        }
    }
    push_text(stack, rest);
    Ok(())
}

#[derive(Default)]
struct Frame {
    condition: Option<Pipeline>,
    then: Option<Vec<Segment>>,
    segments: Vec<Segment>,
}

fn push(stack: &mut [Frame], segment: Segment) {
    if let Some(frame) = stack.last_mut() {
        frame.segments.push(segment);
    }
}

fn push_text(stack: &mut [Frame], text: &str) {
    if !text.is_empty() {
        push(stack, Segment::Text(text.to_owned()));
    }
}

fn trim_end(stack: &mut [Frame]) {
    if let Some(Segment::Text(text)) = stack.last_mut().and_then(|frame| frame.segments.last_mut()) {
        text.truncate(text.trim_end().len());
    }
}

/// The end of the action; `}}` inside a quoted text does not count.
fn closing(text: &str) -> Option<usize> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '`' => quote = Some(c),
            None if text[at..].starts_with("}}") => return Some(at),
            Some(_) | None => {}
        }
    }
    None
}

fn pipeline(text: &str) -> Result<Pipeline, String> {
    let mut lexer = Lexer { rest: text };
    let pipeline = lexer.pipeline(0)?;
    if lexer.rest.trim().is_empty() { Ok(pipeline) } else { Err(format!("`{}` was not expected", lexer.rest.trim())) }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, String> {
        if depth > DEEPEST {
            return Err("the parentheses are nested too deeply".to_owned());
        }
        let mut commands = vec![Vec::new()];
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None | Some(')') => break,
                Some('|') => {
                    self.rest = &self.rest[1..];
                    commands.push(Vec::new());
                }
                Some(_) => {
                    let argument = self.argument(depth)?;
                    if let Some(command) = commands.last_mut() {
                        command.push(argument);
                    }
                }
            }
        }
        if commands.iter().any(Vec::is_empty) { Err("an action is empty".to_owned()) } else { Ok(commands) }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        let rest = self.rest;
        let first = rest.chars().next().unwrap_or_default();
        match first {
            '(' => {
                self.rest = &rest[1..];
                let inner = self.pipeline(depth + 1)?;
                self.rest = self.rest.strip_prefix(')').ok_or("a `(` is not closed")?;
                Ok(Argument::Group(inner))
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("a quoted text is not closed")?;
                self.rest = &rest[end + 2..];
                Ok(Argument::Text(rest[1..=end].to_owned()))
            }
            '"' => {
                let mut escaped = false;
                let end = rest[1..].char_indices().find_map(|(at, c)| match c {
                    _ if escaped => {
                        escaped = false;
                        None
                    }
                    '\\' => {
                        escaped = true;
                        None
                    }
                    '"' => Some(at + 1),
                    _ => None,
                });
                let end = end.ok_or("a quoted text is not closed")?;
                self.rest = &rest[end + 1..];
                serde_json::from_str(&rest[..=end])
                    .map(Argument::Text)
                    .map_err(|_| "a quoted text has an invalid escape".to_owned())
            }
            '.' => {
                let word = self.word(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
                Ok(Argument::Field(word.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()))
            }
            c if c.is_ascii_digit() || c == '-' => {
                let word = self.word(|c| c.is_ascii_digit() || c == '-');
                word.parse().map(Argument::Number).map_err(|_| format!("`{word}` is not a number"))
            }
            c if c.is_alphabetic() || c == '_' => {
                Ok(Argument::Name(self.word(|c| c.is_alphanumeric() || c == '_').to_owned()))
            }
            c => Err(format!("`{c}` was not expected in an action")),
        }
    }

    fn word(&mut self, takes: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|c| !takes(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Segment>, String> {
        super::parse(&Template::text(text))
    }

    #[test]
    fn actions_have_arguments_groups_and_pipes() {
        let segments = parse("a{{ split (user `x`) \"-\" 0 | lower }}b").unwrap();
        let user = Argument::Group(vec![vec![Argument::Name("user".into()), Argument::Text("x".into())]]);
        assert_eq!(
            segments,
            [
                Segment::Text("a".into()),
                Segment::Action(vec![
                    vec![Argument::Name("split".into()), user, Argument::Text("-".into()), Argument::Number(0)],
                    vec![Argument::Name("lower".into())],
                ]),
                Segment::Text("b".into()),
            ]
        );
    }

    #[test]
    fn braces_in_quotes_and_trimmed_space_are_go_s() {
        assert_eq!(parse("{{ `}}` }}").unwrap(), [Segment::Action(vec![vec![Argument::Text("}}".into())]])]);
        assert_eq!(parse("a  {{- .B -}}  c").unwrap().len(), 3);
        assert_eq!(parse("a  {{- .B -}}  c").unwrap()[0], Segment::Text("a".into()));
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        for wrong in [
            "{{",
            "{{ if x }}",
            "{{ end }}",
            "{{ range .X }}{{ end }}",
            "{{ ( }}",
            "{{ \"x }}",
            "{{ | }}",
            "{{ else }}",
            "{{}}",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
