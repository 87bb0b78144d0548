//! Template actions in scripts: safe values are inserted, all others are passed as environment variables.

use crate::template::{Expr, Part, Words};
use crate::yaml::Map;

/// A script with the environment variables that it reads.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) env: Map,
    state: State,
    comment: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Single,
    Double,
}

impl Script {
    /// Adds a line. Returns the environment variables that it reads.
    pub(super) fn line(&mut self, words: &Words) -> Vec<String> {
        let mut read = Vec::new();
        if !self.text.is_empty() {
            self.literal("\n");
        }
        for part in &words.0 {
            match part {
                Part::Text(text) => self.literal(text),
                Part::Expr(expr) => {
                    if is_safe(&expr.code, expr.known.as_deref()) && !expr.secret {
                        self.text.push_str(&format!("${{{{ {} }}}}", expr.code));
                        continue;
                    }
                    let name = self.variable(expr);
                    let reference = match self.state {
                        State::Single => format!("'\"${{{name}}}\"'"),
                        State::Plain | State::Double => format!("${{{name}}}"),
                    };
                    self.text.push_str(&reference);
                    read.push(name);
                }
            }
        }
        read
    }

    /// The environment variable for the value of an expression.
    fn variable(&mut self, expr: &Expr) -> String {
        let value = format!("${{{{ {} }}}}", expr.code);
        let code = expr.bare();
        let last = code.rsplit('.').next().unwrap_or_default();
        let simple = ["vars.", "secrets.", "env.", "source."].iter().any(|context| code.starts_with(context));
        let mut name: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if !simple || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            "VALUE".clone_into(&mut name);
        }
        while self.env.get(&name).is_some_and(|known| *known != crate::yaml::Value::from(value.as_str())) {
            name.push('_');
        }
        self.env.set(name.as_str(), value);
        name
    }

    /// Adds text of the author, keeping track of quotes.
    fn literal(&mut self, text: &str) {
        let mut escaped = false;
        let mut before = self.text.chars().next_back().unwrap_or('\n');
        for c in text.chars() {
            if self.comment {
                self.comment = c != '\n';
            } else if escaped {
                escaped = false;
            } else {
                self.state = match (self.state, c) {
                    (State::Plain | State::Double, '\\') => {
                        escaped = true;
                        self.state
                    }
                    (State::Plain, '\'') => State::Single,
                    (State::Plain, '"') => State::Double,
                    (State::Single, '\'') | (State::Double, '"') => State::Plain,
                    (State::Plain, '#') if before.is_whitespace() => {
                        self.comment = true;
                        State::Plain
                    }
                    (state, _) => state,
                };
            }
            before = c;
        }
        self.text.push_str(&text.replace("${{", "${{ '${{' }}"));
    }
}

/// Whether a value has no special meaning in a shell; the same characters as in the manifest's own check.
fn is_safe(code: &str, known: Option<&str>) -> bool {
    let fixed = ["timestamp", "date", "region", "source.id", "image"].contains(&code);
    fixed || known.is_some_and(|known| known.chars().all(|c| c.is_ascii_alphanumeric() || "._/:@+,=-".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_a_meaning_to_the_shell_are_passed_by_the_environment() {
        let mut script = Script::default();
        let mut line = Words::text("a=");
        line.extend(Words::expr("vars.safe", Some("1.2".into())));
        line.extend(Words::text(" b='x "));
        line.extend(Words::expr("vars.odd-one", Some("a b".into())));
        line.extend(Words::text("' # it's\n c="));
        line.extend(Words::expr("vars.given", None));
        assert_eq!(script.line(&line), ["odd_one", "given"]);
        assert_eq!(script.text, "a=${{ vars.safe }} b='x '\"${odd_one}\"'' # it's\n c=${given}");
        assert_eq!(script.env.0.len(), 2);
    }
}
