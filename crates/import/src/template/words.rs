//! Texts in the manifest's syntax, with `${{ }}` expressions.

use std::collections::HashSet;

/// Text with expressions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Words(pub(crate) Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Expr(Expr),
}

/// An expression of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    /// Code of the expression, without `${{ }}`.
    pub(crate) code: String,
    /// The value during the import.
    pub(crate) known: Option<String>,
    /// True for a secret, which is only allowed in a few fields.
    pub(crate) secret: bool,
    /// True if it may be empty, because Packer works without it: `env.NAME || ''`.
    pub(crate) optional: bool,
}

/// Suffix that makes an unset value empty instead of an error.
const OR_EMPTY: &str = " || ''";

impl Expr {
    /// Code of the expression without [`OR_EMPTY`].
    pub(crate) fn bare(&self) -> &str {
        self.code.strip_suffix(OR_EMPTY).unwrap_or(&self.code)
    }

    /// Whether the expression may be empty, as far as known.
    pub(crate) fn may_be_empty(&self) -> bool {
        self.optional || self.known.as_deref().is_some_and(|known| known.trim().is_empty())
    }
}

impl Words {
    /// Text without expressions.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] })
    }

    /// A single expression.
    pub(crate) fn expr(code: impl Into<String>, known: Option<String>) -> Self {
        Self(vec![Part::Expr(Expr { code: code.into(), known, secret: false, optional: false })])
    }

    /// An environment variable; unset means empty, as in Packer.
    pub(crate) fn environment(name: &str) -> Self {
        let code = format!("env.{name}{OR_EMPTY}");
        Self(vec![Part::Expr(Expr { code, known: None, secret: false, optional: true })])
    }

    /// A secret; an optional one may be left unset.
    pub(crate) fn secret(name: &str, optional: bool) -> Self {
        let code = format!("secrets.{name}{}", if optional { OR_EMPTY } else { "" });
        Self(vec![Part::Expr(Expr { code, known: None, secret: true, optional })])
    }

    /// Appends other words.
    pub(crate) fn extend(&mut self, other: Self) {
        for part in other.0 {
            match (self.0.last_mut(), part) {
                (Some(Part::Text(last)), Part::Text(text)) => last.push_str(&text),
                (_, part) => self.0.push(part),
            }
        }
    }

    /// The text, if it has no expressions.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text during the import.
    pub(crate) fn known(&self) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Expr(expr) => expr.known.as_deref(),
            })
            .collect()
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        let size = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Expr(expr) => expr.code.len() + expr.known.as_deref().map_or(0, str::len),
        };
        self.0.iter().map(size).sum()
    }

    /// Whether it contains a secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Expr(expr) if expr.secret))
    }

    /// The expression, if it consists of nothing else.
    pub(crate) fn single(&self) -> Option<&Expr> {
        match self.0.as_slice() {
            [Part::Expr(expr)] => Some(expr),
            _ => None,
        }
    }

    /// The text in the manifest's syntax.
    pub(crate) fn manifest(&self) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.replace("${{", "${{ '${{' }}"),
                Part::Expr(expr) => format!("${{{{ {} }}}}", expr.code),
            })
            .collect()
    }

    /// The code of an argument with this value.
    pub(crate) fn code(&self) -> String {
        match self.0.as_slice() {
            [Part::Expr(expr)] => expr.code.clone(),
            _ if self.literal().is_some() => quote(self.literal().unwrap_or_default()),
            parts => {
                let mut pattern = String::new();
                let mut values = Vec::new();
                for part in parts {
                    match part {
                        Part::Text(text) => pattern.push_str(&text.replace('{', "{{").replace('}', "}}")),
                        Part::Expr(expr) => {
                            pattern.push_str(&format!("{{{}}}", values.len()));
                            values.push(expr.code.clone());
                        }
                    }
                }
                format!("format({}, {})", quote(&pattern), values.join(", "))
            }
        }
    }
}

/// The members of a context that the expressions in a text refer to: `x` of `vars.x`.
pub(crate) fn members<'t>(text: &'t str, context: &str) -> HashSet<&'t str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut found = HashSet::new();
    for (at, _) in text.match_indices(context) {
        let Some(tail) = text[at + context.len()..].strip_prefix('.') else { continue };
        let begins = text[..at].chars().next_back().is_none_or(|c| !part(c) && c != '.');
        let name = &tail[..tail.find(|c| !part(c)).unwrap_or(tail.len())];
        if begins && !name.is_empty() {
            found.insert(name);
        }
    }
    found
}

/// A text as a literal in an expression.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_the_manifest_reads_them() {
        let mut words = Words::text("a-");
        words.extend(Words::expr("vars.b", Some("B".into())));
        assert_eq!(words.manifest(), "a-${{ vars.b }}");
        assert_eq!(words.code(), "format('a-{0}', vars.b)");
        assert_eq!(words.known().as_deref(), Some("a-B"));
        assert_eq!(Words::text("it's ${{").manifest(), "it's ${{ '${{' }}");
        assert_eq!(Words::text("it's").code(), "'it''s'");
    }

    #[test]
    fn members_are_found_with_their_whole_names() {
        let text = "${{ vars.a }} ${{ lower(vars.b-c) }} my-vars.d env.vars.e vars. vars.f_2.g";
        let mut found: Vec<&str> = members(text, "vars").into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, ["a", "b-c", "f_2"]);
    }
}
