//! Evaluates conditions on a machine. `and` and `or` end at the first value that decides.
use std::cmp::Ordering;

use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::tree::Node;
use regex::RegexBuilder;

use super::Scope;
use crate::document::{Comparison, Condition};
use crate::machine::Deadline;

/// Shell test: whether `$n` is a program on the PATH; builtins of the shell do not count.
const BINARY: &str = r#"case $n in "") exit 1 ;; */*) [ -f "$n" ] && [ -x "$n" ]; exit ;; esac
IFS=:; for d in $PATH; do [ -f "$d/$n" ] && [ -x "$d/$n" ] && exit 0; done; exit 1"#;

impl Scope<'_> {
    /// Whether a condition holds now.
    pub(crate) async fn holds(&self, condition: &Condition, deadline: Deadline) -> Result<bool> {
        let word = |node: &Node| node.scalar().map(|scalar| scalar.text.clone()).unwrap_or_default();
        Ok(match condition {
            Condition::Empty(node) => self.text(&word(node)).await?.is_empty(),
            Condition::Blank(node) => {
                let text = self.text(&word(node)).await?;
                !text.is_empty() && text.chars().all(char::is_whitespace)
            }
            Condition::Text { test, operand, value } => {
                let (operand, value) = (self.text(&word(operand)).await?, self.text(&word(value)).await?);
                texts(*test, &value, &operand)
            }
            Condition::Pattern { pattern, value } => {
                let (pattern, value) = (self.text(&word(pattern)).await?, self.text(&word(value)).await?);
                matches(&pattern, &value)?
            }
            Condition::Number { test, operand, value } => {
                let (operand, value) = (self.text(&word(operand)).await?, self.text(&word(value)).await?);
                numbers(*test, &value, &operand)
            }
            Condition::Binary(node) => {
                let name = self.text(&word(node)).await?;
                self.asks(&format!("n={}; {BINARY}", quote(&name)), deadline).await?
            }
            Condition::File(node) => {
                let path = self.text(&word(node)).await?;
                self.asks(&format!("[ -f {} ]", quote(&path)), deadline).await?
            }
            Condition::Folder(node) => {
                let path = self.text(&word(node)).await?;
                self.asks(&format!("[ -d {} ]", quote(&path)), deadline).await?
            }
            Condition::Checksum { tool, checksum, path } => {
                let (sum, path) = (self.text(&word(checksum)).await?, self.text(&word(path)).await?);
                let sum = sum.trim().to_ascii_lowercase();
                let script =
                    format!("s=$({tool} <{} 2>/dev/null) && [ \"${{s%% *}}\" = {} ]", quote(&path), quote(&sum));
                self.asks(&script, deadline).await?
            }
            Condition::And(all) => {
                for one in all {
                    if !Box::pin(self.holds(one, deadline)).await? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Or(all) => {
                for one in all {
                    if Box::pin(self.holds(one, deadline)).await? {
                        return Ok(true);
                    }
                }
                false
            }
            Condition::Not(one) => !Box::pin(self.holds(one, deadline)).await?,
        })
    }

    async fn asks(&self, script: &str, deadline: Deadline) -> Result<bool> {
        Ok(self.machine().sh(script, deadline).await?.status == 0)
    }
}

fn decides(test: Comparison, order: Ordering) -> bool {
    match test {
        Comparison::Equals => order.is_eq(),
        Comparison::Less => order.is_lt(),
        Comparison::LessEquals => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEquals => order.is_ge(),
    }
}

/// Compares texts without case, as the user guide says.
fn texts(test: Comparison, value: &str, operand: &str) -> bool {
    decides(test, value.to_lowercase().cmp(&operand.to_lowercase()))
}

/// Compares numbers; false if one of the texts is not a number.
fn numbers(test: Comparison, value: &str, operand: &str) -> bool {
    let number = |text: &str| -> Option<f64> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let good = !digits.is_empty() && !digits.ends_with('.') && !digits.starts_with('.');
        let good = good && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        good.then(|| text.parse().ok()).flatten()
    };
    let (Some(value), Some(operand)) = (number(value), number(operand)) else { return false };
    value.partial_cmp(&operand).is_some_and(|order| decides(test, order))
}

/// Maximum size of a compiled pattern in bytes.
const COMPILED: usize = 1 << 20;

/// Whether a pattern of RE2 matches anywhere in a value, without case, as in the user guide's example.
fn matches(pattern: &str, value: &str) -> Result<bool> {
    let pattern = RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .build()
        .map_err(|error| {
            Error::build(format!("`{pattern}` is not a valid regular expression"))
                .because(error)
                .help("Use RE2 syntax.")
        })?;
    Ok(pattern.is_match(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_as_in_the_user_guide() {
        use Comparison::{Equals, Greater, GreaterEquals, Less, LessEquals};
        for (test, operand, value, expected) in [
            (Equals, "Testing, testing...", "Testing, testing...", true),
            (Equals, "Testing, testing...", "Hello again.", false),
            (Equals, "Testing, testing...", "TESTING, TESTING....", false),
            (Equals, "Testing, testing...", "   Testing, testing...", false),
            (Less, "b", "a", true),
            (Less, "a", "0", true),
            (Less, "0", "a", false),
            (LessEquals, "A", "a", true),
            (LessEquals, "a", "0", true),
            (LessEquals, "0", "a", false),
            (Greater, "a", "A", false),
            (Greater, "a", "b", true),
            (Greater, "0", "a", true),
            (Greater, "a", "0", false),
            (GreaterEquals, "A", "a", true),
            (GreaterEquals, "a", "0", false),
        ] {
            assert_eq!(texts(test, value, operand), expected, "{test:?}: {operand}, value: {value}");
        }
        assert!(matches("^[a-z]+$", "ThisIsValue").unwrap());
        assert!(!matches("^[0-9]+$", "12a").unwrap());
        assert!(matches("[", "x").unwrap_err().to_string().contains("not a valid regular expression"));
    }

    #[test]
    fn numbers_compare_as_in_the_user_guide() {
        use Comparison::{Equals, Greater, GreaterEquals, Less, LessEquals};
        for (test, operand, value, expected) in [
            (Equals, "1", "1", true),
            (Equals, "5.0", "5.0", true),
            (Equals, "-1", "-1", true),
            (Equals, "1.0", "1", true),
            (Equals, "1", "a10", false),
            (Less, "2", "1.9", true),
            (Less, "2", "2", false),
            (LessEquals, "2", "2", true),
            (LessEquals, "2", "2.1", false),
            (Greater, "1", "2", true),
            (Greater, "1", "1", false),
            (Greater, "9", "10", true),
            (GreaterEquals, "1", "0.8", false),
            (GreaterEquals, "1", "", false),
        ] {
            assert_eq!(numbers(test, value, operand), expected, "{test:?}: {operand}, value: {value}");
        }
    }
}
