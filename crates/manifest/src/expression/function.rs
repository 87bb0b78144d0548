//! The functions of expressions.

use serde_json::Value;

use super::value;
use crate::budget::{Budget, STEP};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Format,
    Join,
    Replace,
    Lower,
    Split,
}

impl Function {
    pub(super) const NAMES: [&str; 8] =
        ["contains", "startsWith", "endsWith", "format", "join", "replace", "lower", "split"];
    const ALL: [Self; 8] = [
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Format,
        Self::Join,
        Self::Replace,
        Self::Lower,
        Self::Split,
    ];

    /// The function with this name; names are case-insensitive, as in GitHub.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub(super) fn arity(self) -> (usize, usize) {
        match self {
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Split => (2, 2),
            Self::Format => (1, 256),
            Self::Join => (1, 2),
            Self::Replace => (3, 3),
            Self::Lower => (1, 1),
        }
    }

    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::Contains => "`contains(text or list, item)`",
            Self::StartsWith => "`startsWith(text, prefix)`",
            Self::EndsWith => "`endsWith(text, suffix)`",
            Self::Format => "`format('{0} and {1}', a, b)`",
            Self::Join => "`join(list, separator)`",
            Self::Replace => "`replace(text, from, to)`",
            Self::Lower => "`lower(text)`",
            Self::Split => "`split(text, separator)`",
        }
    }

    /// Calls the function. The error has no location.
    pub(super) fn apply(self, arguments: &[Value], budget: &Budget) -> Result<Value, String> {
        let spend =
            |count: usize, bytes: usize| budget.spend_each(count, bytes).map_err(|exceeded| exceeded.to_string());
        let text = |index: usize| -> Result<String, String> {
            let value = arguments.get(index).unwrap_or(&Value::Null);
            value::text(value).ok_or_else(|| {
                format!("argument {} of `{}` must be a string, not a list or map", index + 1, self.name())
            })
        };
        Ok(match self {
            Self::Contains => match arguments.first() {
                Some(Value::Array(items)) => {
                    items.iter().any(|item| value::equal(item, arguments.get(1).unwrap_or(&Value::Null))).into()
                }
                _ => text(0)?.to_lowercase().contains(&text(1)?.to_lowercase()).into(),
            },
            Self::StartsWith => text(0)?.to_lowercase().starts_with(&text(1)?.to_lowercase()).into(),
            Self::EndsWith => text(0)?.to_lowercase().ends_with(&text(1)?.to_lowercase()).into(),
            Self::Format => {
                let values: Result<Vec<String>, String> = (1..arguments.len()).map(text).collect();
                format(&text(0)?, &values?, budget)?.into()
            }
            Self::Join => match arguments.first() {
                Some(Value::Array(items)) => {
                    let separator = if arguments.len() > 1 { text(1)? } else { ",".to_owned() };
                    let items: Option<Vec<String>> = items.iter().map(value::text).collect();
                    let items = items.ok_or("`join` needs a list of scalars")?;
                    spend(items.len(), separator.len())?;
                    items.join(&separator).into()
                }
                _ => text(0)?.into(),
            },
            Self::Replace => {
                let from = text(1)?;
                if from.is_empty() {
                    return Ok(text(0)?.into());
                }
                let (whole, to) = (text(0)?, text(2)?);
                spend(whole.matches(&from).count(), to.len())?;
                whole.replace(&from, &to).into()
            }
            Self::Lower => text(0)?.to_lowercase().into(),
            Self::Split => {
                let separator = text(1)?;
                if separator.is_empty() {
                    return Err("`split` needs a separator".to_owned());
                }
                let whole = text(0)?;
                spend(whole.matches(&separator).count(), STEP)?;
                whole.split(&separator).map(Value::from).collect()
            }
        })
    }
}

/// Formats a template: `{0}` is the first value, `{{` and `}}` are braces.
fn format(template: &str, values: &[String], budget: &Budget) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = tail.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else {
            let end =
                tail.find('}').ok_or("the format string has a `{` without `}`; write `{{` for a literal brace")?;
            let index: usize = tail.get(1..end).and_then(|digits| digits.parse().ok()).ok_or(
                "placeholders in the format string are `{0}`, `{1}`, …; write `{{` and `}}` for literal braces",
            )?;
            let value = values
                .get(index)
                .ok_or_else(|| format!("the format string uses `{{{index}}}`, but there is no such argument"))?;
            budget.spend(STEP + value.len()).map_err(|exceeded| exceeded.to_string())?;
            out.push_str(value);
            rest = &tail[end + 1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}
