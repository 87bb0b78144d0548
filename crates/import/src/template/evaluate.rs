//! Evaluates Packer templates to the manifest's expressions.

use ami_bake_manifest::access::credential;
use ami_bake_manifest::budget::{Exceeded, STEP};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::parse::{Argument, Pipeline, Segment, parse};
use super::text::Template;
use super::unsupported::Unsupported;
use super::words::Words;
use super::{function, layout};

/// Budget of all templates of one import in bytes: half a second of a release build.
pub(crate) const BUDGET: usize = 32 << 20;

/// Variables and functions that a template may refer to.
pub(crate) trait TemplateScope {
    /// Evaluates `user`.
    fn user(&self, name: &str) -> Result<Words, Unsupported>;
    /// Evaluates `env`.
    fn env(&self, name: &str) -> Result<Words, Unsupported>;
    /// Evaluates `.Name` and `build`.
    fn field(&self, path: &[String]) -> Result<Words, Unsupported>;
    /// Evaluates names without arguments that depend on the template's position, such as `build_name`.
    fn word(&self, name: &str) -> Option<Result<Words, Unsupported>>;
    /// Evaluates functions that only exist at the template's position.
    fn call(&self, _name: &str, _arguments: &[String]) -> Option<Result<Words, Unsupported>> {
        None
    }
    /// Takes the cost of an evaluation off the budget of the import, in bytes.
    fn spend(&self, bytes: usize) -> Result<(), Exceeded>;
    /// The time to evaluate with; `None` for the manifest's own `timestamp` and `date`.
    fn now(&self) -> Option<Timestamp>;
}

/// Evaluates a template; `note` is called for changes in meaning.
pub(crate) fn evaluate(
    template: &Template,
    scope: &dyn TemplateScope,
    note: &mut dyn FnMut(String),
) -> Result<Words, Unsupported> {
    if let Some(text) = template.literal().filter(|text| !text.contains("{{")) {
        return Ok(Words::text(text));
    }
    scope.spend(template.size())?;
    let segments = parse(template).map_err(|why| Unsupported::new(format!("invalid Go template: {why}")))?;
    evaluate_segments(&segments, scope, note)
}

/// Evaluates segments of a template.
pub(crate) fn evaluate_segments(
    segments: &[Segment],
    scope: &dyn TemplateScope,
    note: &mut dyn FnMut(String),
) -> Result<Words, Unsupported> {
    Evaluation { scope, note }.segments(segments)
}

/// The value during the import of a part of a condition.
fn fixed(words: &Words, follows: &mut bool) -> Result<String, Unsupported> {
    *follows |= words.literal().is_none();
    words.known().ok_or_else(|| Unsupported::new("an `if` depends on a value that is only known during the bake"))
}

/// The note for an environment variable that is read under another name.
pub(crate) fn not_passed_on(name: &str) -> String {
    format!("ami-bake or the runner signs in with {name}, and never passes it on")
}

struct Evaluation<'a> {
    scope: &'a dyn TemplateScope,
    note: &'a mut dyn FnMut(String),
}

impl Evaluation<'_> {
    fn segments(&mut self, segments: &[Segment]) -> Result<Words, Unsupported> {
        let mut words = Words::default();
        for segment in segments {
            match segment {
                Segment::Text(text) => self.add(&mut words, Words::text(text.as_str()))?,
                Segment::Action(pipeline) => {
                    let value = self.pipeline(pipeline)?;
                    self.add(&mut words, value)?;
                }
                Segment::If { condition, then, otherwise } => {
                    let mut follows = false;
                    let holds = self.holds(condition, &mut follows)?;
                    if follows {
                        (self.note)(
                            "the `if` was evaluated during the import and no longer follows the variable".to_owned(),
                        );
                    }
                    let value = self.segments(if holds { then } else { otherwise })?;
                    self.add(&mut words, value)?;
                }
            }
        }
        Ok(words)
    }

    /// Whether the condition of an `if` holds, with Go's `eq`, `ne`, `not`, `and` and `or`. `follows` becomes true if it
    /// depends on a variable.
    fn holds(&mut self, condition: &Pipeline, follows: &mut bool) -> Result<bool, Unsupported> {
        let (name, rest) = match condition.as_slice() {
            [command] => match command.split_first() {
                Some((Argument::Name(name), rest)) => (name.as_str(), rest),
                Some((Argument::Group(inner), [])) => return self.holds(inner, follows),
                _ => ("", [].as_slice()),
            },
            _ => ("", [].as_slice()),
        };
        let mut compared =
            |this: &mut Self, argument: &Argument| this.argument(argument).and_then(|w| fixed(&w, follows));
        match (name, rest) {
            ("eq", [first, others @ ..]) if !others.is_empty() => {
                let first = compared(self, first)?;
                let others = others.iter().map(|other| compared(self, other)).collect::<Result<Vec<_>, _>>()?;
                Ok(others.contains(&first))
            }
            ("ne", [first, second]) => Ok(compared(self, first)? != compared(self, second)?),
            ("not", [one]) => Ok(!self.holds(&vec![vec![one.clone()]], follows)?),
            ("and" | "or", [first, others @ ..]) => {
                let mut value = self.holds(&vec![vec![first.clone()]], follows)?;
                for other in others {
                    if value == (name == "and") {
                        value = self.holds(&vec![vec![other.clone()]], follows)?;
                    }
                }
                Ok(value)
            }
            // In Go an empty text is false and every other text is true, even "false".
            _ => self.pipeline(condition).and_then(|value| fixed(&value, follows)).map(|text| !text.is_empty()),
        }
    }

    fn add(&self, words: &mut Words, value: Words) -> Result<(), Unsupported> {
        self.scope.spend(STEP + value.size())?;
        words.extend(value);
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Words, Unsupported> {
        let mut value: Option<Words> = None;
        for command in pipeline {
            let next = self.command(command, value)?;
            self.scope.spend(STEP + next.size())?;
            value = Some(next);
        }
        Ok(value.unwrap_or_default())
    }

    fn command(&mut self, command: &[Argument], piped: Option<Words>) -> Result<Words, Unsupported> {
        let Some((head, rest)) = command.split_first() else { return Ok(Words::default()) };
        let Argument::Name(name) = head else { return self.argument(head) };
        let mut arguments = rest.iter().map(|argument| self.argument(argument)).collect::<Result<Vec<_>, _>>()?;
        let was_piped = piped.is_some();
        arguments.extend(piped);
        self.call(name, arguments, was_piped)
    }

    fn argument(&mut self, argument: &Argument) -> Result<Words, Unsupported> {
        match argument {
            Argument::Text(text) => Ok(Words::text(text.as_str())),
            Argument::Number(number) => Ok(Words::text(number.to_string())),
            Argument::Field(path) => self.scope.field(path),
            Argument::Name(name) => self.call(name, Vec::new(), false),
            Argument::Group(pipeline) => self.pipeline(pipeline),
        }
    }

    fn call(&mut self, name: &str, mut arguments: Vec<Words>, piped: bool) -> Result<Words, Unsupported> {
        let literal = |arguments: &[Words]| -> Result<String, Unsupported> {
            let first = arguments.first().ok_or_else(|| Unsupported::new(format!("`{name}` needs an argument")))?;
            first
                .known()
                .ok_or_else(|| Unsupported::new(format!("the argument of `{name}` is only known during the bake")))
        };
        match name {
            "user" => self.scope.user(&literal(&arguments)?),
            "env" => {
                let name = literal(&arguments)?;
                let words = self.scope.env(&name)?;
                if words.is_secret() && credential::signs_in(&name) {
                    (self.note)(format!("now the secret {}: {}", credential::secret(&name), not_passed_on(&name)));
                }
                Ok(words)
            }
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
                Err(Unsupported::new(format!("`{name}` reads a value from another service"))
                    .help("Read it in the workflow before the bake and pass it as a secret or a variable."))
            }
            "packer_version" => Err(Unsupported::new("`packer_version` has no counterpart")),
            _ => {
                if let Some(words) = self.scope.word(name) {
                    return words;
                }
                let known: Option<Vec<String>> = arguments.iter().map(Words::known).collect();
                if let Some(words) = known.and_then(|known| self.scope.call(name, &known)) {
                    return words;
                }
                // Packer's argument order: `replace old new n text`, `replace_all old new text`, and `split text
                // separator n`.
                let text = if matches!(name, "split") && !piped {
                    if arguments.is_empty() { None } else { Some(arguments.remove(0)) }
                } else {
                    arguments.pop()
                };
                let text = text.ok_or_else(|| Unsupported::new(format!("`{name}` has no counterpart")))?;
                function::apply(name, &text, &arguments, &|bytes| self.scope.spend(bytes), self.note)
            }
        }
    }

    fn timestamp(&mut self) -> Words {
        if let Some(now) = self.scope.now() {
            return Words::text(now.as_second().to_string());
        }
        (self.note)("`timestamp` is seconds since 1970 in Packer and YYYYMMDDhhmmss in a manifest".to_owned());
        Words::expr("timestamp", None)
    }

    fn time(&mut self, pieces: &[layout::Piece], shown: &str) -> Words {
        if let Some(now) = self.scope.now() {
            return Words::text(layout::format(pieces, now.to_zoned(TimeZone::UTC).datetime()));
        }
        if let Some(code) = layout::expression(pieces) {
            return Words::expr(code, None);
        }
        (self.note)(format!("`{shown}` was replaced with `timestamp` (YYYYMMDDhhmmss)"));
        Words::expr("timestamp", None)
    }

    fn uuid(&mut self) -> Words {
        if self.scope.now().is_some() {
            return Words::text(Uuid::new_v4().to_string());
        }
        (self.note)("`uuid` was replaced with `timestamp`: a manifest has no random values".to_owned());
        Words::expr("timestamp", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(Option<Timestamp>);

    impl TemplateScope for Fake {
        fn user(&self, name: &str) -> Result<Words, Unsupported> {
            Ok(match name {
                "v" => Words::expr("vars.v", Some("v1:2 v1".to_owned())),
                "empty" => Words::expr("vars.empty", Some(String::new())),
                _ => Words::expr(format!("vars.{name}"), None),
            })
        }
        fn env(&self, name: &str) -> Result<Words, Unsupported> {
            Ok(Words::expr(format!("env.{name}"), None))
        }
        fn field(&self, path: &[String]) -> Result<Words, Unsupported> {
            Err(Unsupported::new(format!("no {}", path.join("."))))
        }
        fn word(&self, name: &str) -> Option<Result<Words, Unsupported>> {
            (name == "build_name").then(|| Ok(Words::text("Web")))
        }
        fn spend(&self, _: usize) -> Result<(), Exceeded> {
            Ok(())
        }
        fn now(&self) -> Option<Timestamp> {
            self.0
        }
    }

    fn shown(text: &str) -> String {
        evaluate(&Template::text(text), &Fake(None), &mut |_| {})
            .map_or_else(|unsupported| unsupported.why, |words| words.manifest())
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

    /// Functions that the manifest does not have are evaluated during the import, with a note.
    #[test]
    fn what_has_no_function_is_evaluated_once() {
        let mut notes = Vec::new();
        let words = evaluate(
            &Template::text(
                "{{ user `v` | replace \"v\" \"\" 1 }}{{if user `empty`}}x{{else}}y{{end}}{{user `v` | upper}}",
            ),
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
        let shown = |text: &str| evaluate(&Template::text(text), &Fake(Some(now)), &mut |_| {}).unwrap().manifest();
        assert_eq!(shown("{{timestamp}}"), now.as_second().to_string());
        assert_eq!(shown("{{isotime | clean_resource_name}}"), "2026-03-07T15-04-09Z");
        assert_eq!(shown("{{isotime \"200601021504\"}}"), "202603071504");
        assert_eq!(shown("{{uuid}}").len(), 36);
    }
}
