//! Private values, which findings must not show.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;

use super::{Diagnostic, Sources};

/// Maximum length of values that are only replaced as whole words or in quotes, since they could be words of the
/// message itself.
const SHORT: usize = 4;

/// Values that come from a file or the environment. Findings show their origin instead.
#[derive(Debug, Default)]
pub struct PrivateValues(Mutex<BTreeMap<String, String>>);

impl PrivateValues {
    /// Adds a value with its origin, which is shown instead.
    pub fn add(&self, value: &str, origin: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Both the raw form and the form between quotes.
        for form in [value.to_owned(), value.trim().to_owned(), value.escape_debug().to_string()] {
            if !form.trim().is_empty() {
                all.entry(form).or_insert_with(|| origin.to_owned());
            }
        }
    }

    /// Adds all strings in a value.
    pub fn add_all(&self, value: &Value, origin: &str) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add(&number.to_string(), origin),
            Value::String(text) => self.add(text, origin),
            Value::Array(items) => items.iter().for_each(|item| self.add_all(item, origin)),
            Value::Object(map) => map.values().for_each(|value| self.add_all(value, origin)),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The origin of a value, if it is private.
    pub fn origin(&self, value: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(value).cloned()
    }

    /// Replaces private values in texts.
    pub fn hide_in<'t>(&self, texts: impl IntoIterator<Item = &'t mut String>) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hider = Hider::new(&all);
        for text in texts {
            if let Some(hidden) = hider.hidden(text) {
                *text = hidden;
            }
        }
    }

    /// Replaces private values in findings, and quotes of private files.
    pub fn hide(&self, findings: &mut [Diagnostic], sources: &Sources) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hider = Hider::new(&all);
        for finding in findings {
            hider.hide(finding);
            if let Some(span) = finding.span.filter(|span| sources.is_private(span.file)) {
                let quoted =
                    BTreeMap::from([(sources.slice(span).trim_matches(['"', '\'']).to_owned(), "…".to_owned())]);
                Hider::new(&quoted).hide(finding);
            }
        }
    }
}

/// Replaces private values in many texts.
struct Hider<'a> {
    search: Option<AhoCorasick>,
    values: Vec<(&'a str, &'a str)>,
}

impl<'a> Hider<'a> {
    fn new(all: &'a BTreeMap<String, String>) -> Self {
        let values: Vec<(&str, &str)> =
            all.iter().filter(|(value, _)| !value.is_empty()).map(|(value, origin)| (&**value, &**origin)).collect();
        let patterns = values.iter().map(|(value, _)| value);
        // A DFA, the default for few patterns, takes minutes to build from a value of a megabyte.
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(kind).build(patterns).ok();
        Self { search: search.filter(|_| !values.is_empty()), values }
    }

    fn hide(&self, finding: &mut Diagnostic) {
        let texts = [Some(&mut finding.message), finding.label.as_mut(), finding.help.as_mut()];
        for text in texts.into_iter().flatten() {
            if let Some(hidden) = self.hidden(text) {
                *text = hidden;
            }
        }
    }

    fn hidden(&self, text: &str) -> Option<String> {
        let search = self.search.as_ref()?;
        let mut out = String::new();
        let mut at = 0;
        for found in search.find_iter(text) {
            let around = [text[..found.start()].chars().next_back(), text[found.end()..].chars().next()];
            let value = &text[found.range()];
            // `-` and the like are punctuation of the message.
            let mark = value.len() < SHORT && !value.contains(char::is_alphanumeric);
            let word = mark || value.chars().all(|c| c.is_ascii_lowercase());
            let kept = |c: Option<char>| match c {
                Some(c) if word => !matches!(c, '`' | '"' | '\''),
                c => value.len() < SHORT && c.is_some_and(char::is_alphanumeric),
            };
            if around.into_iter().any(kept) {
                continue;
            }
            out.push_str(&text[at..found.start()]);
            out.push_str(self.values.get(found.pattern().as_usize()).map_or("…", |(_, origin)| origin));
            at = found.end();
        }
        (at > 0).then(|| out + &text[at..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_by_where_they_came_from() {
        let values = PrivateValues::default();
        values.add("hunter2", "${{ env.PASS }}");
        values.add("a\nb", "${{ env.LINES }}");
        values.add("8", "${{ vars.size }}");
        values.add("name", "${{ env.KEY }}");
        values.add("-", "${{ env.DASH }}");
        let sources = Sources::default();
        let hidden = |text: &str| {
            let mut findings = [Diagnostic::error("x", None, text).help(text)];
            values.hide(&mut findings, &sources);
            assert_eq!(findings[0].help.as_deref(), Some(findings[0].message.as_str()));
            findings[0].message.clone()
        };
        assert_eq!(hidden("`hunter2` is not a valid name"), "`${{ env.PASS }}` is not a valid name");
        assert_eq!(hidden("xhunter2x"), "x${{ env.PASS }}x");
        assert_eq!(hidden("contains \"a\\nb\""), "contains \"${{ env.LINES }}\"");
        assert_eq!(hidden("`name` is not a valid name"), "`${{ env.KEY }}` is not a valid name");
        assert_eq!(
            hidden("`-` is not a valid name: use `--set`"),
            "`${{ env.DASH }}` is not a valid name: use `--set`"
        );
        assert_eq!(hidden("at most 18, not 8"), "at most 18, not ${{ vars.size }}");
    }

    #[test]
    fn what_is_quoted_of_a_private_file_is_left_out() {
        let mut sources = Sources::default();
        let file = sources.add_private("vars.yml", "a: 1.20\n");
        let span = super::super::Span { file, start: 3, end: 7 };
        let mut findings = [Diagnostic::error("x", span, "YAML reads `1.20` as 1.2")];
        PrivateValues::default().hide(&mut findings, &sources);
        assert_eq!(findings[0].message, "YAML reads `…` as 1.2");
    }
}
