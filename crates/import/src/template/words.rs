//! Text as the manifest writes it, with `${{ }}` expressions.

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
    /// Its text, without `${{ }}`.
    pub(crate) code: String,
    /// The value that it has during the import.
    pub(crate) known: Option<String>,
    /// It is a secret, which may only be used in a few fields.
    pub(crate) secret: bool,
    /// It may be empty, since Packer does without it: `env.NAME || ''`.
    pub(crate) optional: bool,
}

/// What makes an unset value empty instead of an error.
const OR_EMPTY: &str = " || ''";

impl Expr {
    /// Code of the expression, without the part that makes an unset value empty.
    pub(crate) fn bare(&self) -> &str {
        self.code.strip_suffix(OR_EMPTY).unwrap_or(&self.code)
    }

    /// Whether it may be empty, as far as that is known.
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

    /// An expression alone.
    pub(crate) fn expr(code: impl Into<String>, known: Option<String>) -> Self {
        Self(vec![Part::Expr(Expr { code: code.into(), known, secret: false, optional: false })])
    }

    /// A variable of the environment. Packer takes one that is not set as empty.
    pub(crate) fn environment(name: &str) -> Self {
        let code = format!("env.{name}{OR_EMPTY}");
        Self(vec![Part::Expr(Expr { code, known: None, secret: false, optional: true })])
    }

    /// A secret; an optional one may be left unset.
    pub(crate) fn secret(name: &str, optional: bool) -> Self {
        let code = format!("secrets.{name}{}", if optional { OR_EMPTY } else { "" });
        Self(vec![Part::Expr(Expr { code, known: None, secret: true, optional })])
    }

    /// Adds other words at the end.
    pub(crate) fn extend(&mut self, other: Self) {
        for part in other.0 {
            match (self.0.last_mut(), part) {
                (Some(Part::Text(last)), Part::Text(text)) => last.push_str(&text),
                (_, part) => self.0.push(part),
            }
        }
    }

    /// The text, when there is no expression in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text that it is during the import.
    pub(crate) fn known(&self) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Expr(expr) => expr.known.as_deref(),
            })
            .collect()
    }

    /// How much it holds, in bytes.
    pub(crate) fn size(&self) -> usize {
        let size = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Expr(expr) => expr.code.len() + expr.known.as_deref().map_or(0, str::len),
        };
        self.0.iter().map(size).sum()
    }

    /// Whether a secret is part of it.
    pub(crate) fn is_secret(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Expr(expr) if expr.secret))
    }

    /// Its expression, when it is nothing else.
    pub(crate) fn single(&self) -> Option<&Expr> {
        match self.0.as_slice() {
            [Part::Expr(expr)] => Some(expr),
            _ => None,
        }
    }

    /// As the manifest writes it.
    pub(crate) fn manifest(&self) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.replace("${{", "${{ '${{' }}"),
                Part::Expr(expr) => format!("${{{{ {} }}}}", expr.code),
            })
            .collect()
    }

    /// As the argument of a function.
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

/// The members of a context that the expressions of a text refer to: `x` of `vars.x`.
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

/// A text in an expression.
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
