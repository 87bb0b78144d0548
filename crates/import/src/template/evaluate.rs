//! A template to words.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::parse::{Argument, Pipeline, Segment};
use super::words::Words;
use super::{function, layout, parse};

/// Why a template has no value here, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: String,
    pub(crate) help: String,
}

impl Trouble {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: "Write what is meant into the manifest by hand.".to_owned() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// What a template may use.
pub(crate) trait Scope {
    /// `user`
    fn user(&self, name: &str) -> Result<Words, Trouble>;
    /// `env`
    fn env(&self, name: &str) -> Result<Words, Trouble>;
    /// `.Name` and `build`
    fn field(&self, path: &[String]) -> Result<Words, Trouble>;
    /// Values without arguments that the place decides, such as `build_name`.
    fn word(&self, name: &str) -> Option<Result<Words, Trouble>>;
    /// Functions of the place's own.
    fn call(&self, _name: &str, _arguments: &[String]) -> Option<Result<Words, Trouble>> {
        None
    }
    /// The time to evaluate with; none: the manifest's own `timestamp` and `date`.
    fn now(&self) -> Option<Timestamp>;
}

/// Evaluates a template's text; `note` is told what means something a little different now.
pub(crate) fn evaluate(text: &str, scope: &dyn Scope, note: &mut dyn FnMut(String)) -> Result<Words, Trouble> {
    if !text.contains("{{") {
        return Ok(Words::text(text));
    }
    let segments = parse(text).map_err(|why| Trouble::new(format!("the template can't be read: {why}")))?;
    Evaluation { scope, note }.segments(&segments)
}

struct Evaluation<'a> {
    scope: &'a dyn Scope,
    note: &'a mut dyn FnMut(String),
}

impl Evaluation<'_> {
    fn segments(&mut self, segments: &[Segment]) -> Result<Words, Trouble> {
        let mut words = Words::default();
        for segment in segments {
            match segment {
                Segment::Text(text) => words.extend(Words::text(text.as_str())),
                Segment::Action(pipeline) => words.extend(self.pipeline(pipeline)?),
                Segment::If { condition, then, otherwise } => {
                    let value = self.pipeline(condition)?;
                    let known = value
                        .known()
                        .ok_or_else(|| Trouble::new("an `if` depends on a value that is not known before the bake"))?;
                    if value.literal().is_none() {
                        (self.note)("an `if` was evaluated once: it no longer follows the variable".to_owned());
                    }
                    // Go: an empty text is false, every other is true, "false" too.
                    words.extend(self.segments(if known.is_empty() { otherwise } else { then })?);
                }
            }
        }
        Ok(words)
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Words, Trouble> {
        let mut value: Option<Words> = None;
        for command in pipeline {
            value = Some(self.command(command, value)?);
        }
        Ok(value.unwrap_or_default())
    }

    fn command(&mut self, command: &[Argument], piped: Option<Words>) -> Result<Words, Trouble> {
        let Some((head, rest)) = command.split_first() else { return Ok(Words::default()) };
        let Argument::Name(name) = head else { return self.argument(head) };
        let mut arguments = rest.iter().map(|argument| self.argument(argument)).collect::<Result<Vec<_>, _>>()?;
        let was_piped = piped.is_some();
        arguments.extend(piped);
        self.call(name, arguments, was_piped)
    }

    fn argument(&mut self, argument: &Argument) -> Result<Words, Trouble> {
        match argument {
            Argument::Text(text) => Ok(Words::text(text.as_str())),
            Argument::Number(number) => Ok(Words::text(number.to_string())),
            Argument::Field(path) => self.scope.field(path),
            Argument::Name(name) => self.call(name, Vec::new(), false),
            Argument::Group(pipeline) => self.pipeline(pipeline),
        }
    }

    fn call(&mut self, name: &str, mut arguments: Vec<Words>, piped: bool) -> Result<Words, Trouble> {
        let literal = |arguments: &[Words]| -> Result<String, Trouble> {
            let first = arguments.first().ok_or_else(|| Trouble::new(format!("`{name}` lacks its argument")))?;
            first.known().ok_or_else(|| Trouble::new(format!("the argument of `{name}` is not known before the bake")))
        };
        match name {
            "user" => self.scope.user(&literal(&arguments)?),
            "env" => self.scope.env(&literal(&arguments)?),
            "build" => self.scope.field(&[literal(&arguments)?]),
            "timestamp" => Ok(self.timestamp()),
            "isotime" => {
                let layout = if arguments.is_empty() { None } else { Some(literal(&arguments)?) };
                let shown = layout.as_deref().map_or_else(|| name.to_owned(), |layout| format!("{name} \"{layout}\""));
                Ok(self.time(&layout::go(layout.as_deref()), &shown))
            }
            "strftime" => {
                let format = literal(&arguments)?;
                Ok(self.time(&layout::strftime(&format), &format!("{name} \"{format}\"")))
            }
            "uuid" => Ok(self.uuid()),
            "vault" | "consul_key" | "aws_secretsmanager" | "aws_secretsmanager_raw" => {
                Err(Trouble::new(format!("`{name}` reads a value from another service"))
                    .help("Read it in the workflow before the bake, and give it as a secret or a variable."))
            }
            "packer_version" => Err(Trouble::new("`packer_version` is Packer's own")),
            _ => {
                if let Some(words) = self.scope.word(name) {
                    return words;
                }
                let known: Option<Vec<String>> = arguments.iter().map(Words::known).collect();
                if let Some(words) = known.and_then(|known| self.scope.call(name, &known)) {
                    return words;
                }
                // Packer's own order: `replace old new n text`, `replace_all old new text`, and `split text separator n`.
                let text = if matches!(name, "split") && !piped {
                    if arguments.is_empty() { None } else { Some(arguments.remove(0)) }
                } else {
                    arguments.pop()
                };
                let text = text.ok_or_else(|| Trouble::new(format!("there is no counterpart for `{name}`")))?;
                function::apply(name, &text, &arguments, self.note)
            }
        }
    }

    fn timestamp(&mut self) -> Words {
        if let Some(now) = self.scope.now() {
            return Words::text(now.as_second().to_string());
        }
        (self.note)("`timestamp` counts seconds since 1970 in Packer and is YYYYMMDDhhmmss here".to_owned());
        Words::expr("timestamp", None)
    }

    fn time(&mut self, pieces: &[layout::Piece], shown: &str) -> Words {
        if let Some(now) = self.scope.now() {
            return Words::text(layout::format(pieces, now.to_zoned(TimeZone::UTC).datetime()));
        }
        if let Some(code) = layout::expression(pieces) {
            return Words::expr(code, None);
        }
        (self.note)(format!("`{shown}` became `timestamp`, which is YYYYMMDDhhmmss"));
        Words::expr("timestamp", None)
    }

    fn uuid(&mut self) -> Words {
        if self.scope.now().is_some() {
            return Words::text(Uuid::new_v4().to_string());
        }
        (self.note)("`uuid` became `timestamp`: a manifest has no random values".to_owned());
        Words::expr("timestamp", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(Option<Timestamp>);

    impl Scope for Fake {
        fn user(&self, name: &str) -> Result<Words, Trouble> {
            Ok(match name {
                "v" => Words::expr("vars.v", Some("v1:2 v1".to_owned())),
                "empty" => Words::expr("vars.empty", Some(String::new())),
                _ => Words::expr(format!("vars.{name}"), None),
            })
        }
        fn env(&self, name: &str) -> Result<Words, Trouble> {
            Ok(Words::expr(format!("env.{name}"), None))
        }
        fn field(&self, path: &[String]) -> Result<Words, Trouble> {
            Err(Trouble::new(format!("no {}", path.join("."))))
        }
        fn word(&self, name: &str) -> Option<Result<Words, Trouble>> {
            (name == "build_name").then(|| Ok(Words::text("Web")))
        }
        fn now(&self) -> Option<Timestamp> {
            self.0
        }
    }

    fn shown(text: &str) -> String {
        evaluate(text, &Fake(None), &mut |_| {}).map_or_else(|trouble| trouble.why, |words| words.manifest())
    }

    #[test]
    fn functions_become_expressions() {
        assert_eq!(shown("a-{{user `x`}}"), "a-${{ vars.x }}");
        assert_eq!(shown("{{ user `x` | lower }}"), "${{ lower(vars.x) }}");
        assert_eq!(shown("{{ build_name | lower }}"), "web");
        assert_eq!(shown("{{ split (user `v`) \"-\" 0 }}"), "${{ split(vars.v, '-')[0] }}");
        assert_eq!(shown("{{ user `v` | replace_all \".\" \"-\" }}"), "${{ replace(vars.v, '.', '-') }}");
        assert_eq!(shown("{{ user `v` | clean_resource_name }}"), "${{ replace(vars.v, ':', '-') }}");
        assert_eq!(shown("{{ isotime \"2006-01-02\" }}"), "${{ date }}");
        assert_eq!(shown("{{ isotime | clean_resource_name }}"), "${{ timestamp }}");
        assert_eq!(shown("{{ env `HOME` }}"), "${{ env.HOME }}");
    }

    /// What the manifest has no function for is evaluated, and told.
    #[test]
    fn what_has_no_function_is_evaluated_once() {
        let mut notes = Vec::new();
        let words = evaluate(
            "{{ user `v` | replace \"v\" \"\" 1 }}{{if user `empty`}}x{{else}}y{{end}}{{user `v` | upper}}",
            &Fake(None),
            &mut |note| notes.push(note),
        );
        assert_eq!(words.unwrap().manifest(), "1:2 v1yV1:2 V1");
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(shown("{{ user `x` | upper }}").contains("can't be evaluated"));
        assert!(shown("{{ vault `a` `b` }}").contains("another service"));
        assert!(shown("{{ frob `a` }}").contains("`frob`"));
    }

    #[test]
    fn with_a_time_all_is_evaluated() {
        let now: Timestamp = "2026-03-07T15:04:09Z".parse().unwrap();
        let shown = |text: &str| evaluate(text, &Fake(Some(now)), &mut |_| {}).unwrap().manifest();
        assert_eq!(shown("{{timestamp}}"), now.as_second().to_string());
        assert_eq!(shown("{{isotime | clean_resource_name}}"), "2026-03-07T15-04-09Z");
        assert_eq!(shown("{{isotime \"200601021504\"}}"), "202603071504");
        assert_eq!(shown("{{uuid}}").len(), 36);
    }
}
