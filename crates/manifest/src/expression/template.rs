//! Strings that contain `${{ }}`.

use std::ops::Range;

use super::error::SyntaxError;
use super::parser::parse;
use super::tree::Expr;

/// A string, split into text and expressions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
    /// True if the whole string is one expression, whose value keeps its type.
    pub(crate) single: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// `outer` is the range of `${{ … }}`, `inner` that of the expression in it.
    Expr {
        outer: Range<usize>,
        inner: Range<usize>,
        expr: Expr,
    },
}

impl Template {
    /// Whether a string contains an expression.
    pub(crate) fn is_one(text: &str) -> bool {
        text.contains("${{")
    }

    /// Parses a string that may contain expressions.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<SyntaxError>> {
        let mut pieces = Vec::new();
        let mut errors = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${{") {
            let start = at + found;
            if start > at {
                pieces.push(Piece::Text(text[at..start].to_owned()));
            }
            let Some(length) = closing(&text[start + 3..]) else {
                errors.push(
                    SyntaxError::new(start..start + 3, "the expression is not closed").help("Close it with `}}`."),
                );
                return Err(errors);
            };
            let inner = start + 3..start + 3 + length;
            at = inner.end + 2;
            match parse(&text[inner.clone()]) {
                Ok(expr) => pieces.push(Piece::Expr { outer: start..at, inner, expr }),
                Err(error) => {
                    let range = inner.start + error.range.start..inner.start + error.range.end;
                    errors.push(SyntaxError { range, ..error });
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if at < text.len() {
            pieces.push(Piece::Text(text[at..].to_owned()));
        }
        let single = match pieces.as_slice() {
            [Piece::Expr { .. }] => true,
            [Piece::Text(before), Piece::Expr { .. }] => before.trim().is_empty(),
            [Piece::Expr { .. }, Piece::Text(after)] => after.trim().is_empty(),
            _ => false,
        };
        if single {
            pieces.retain(|piece| matches!(piece, Piece::Expr { .. }));
        }
        Ok(Self { pieces, single })
    }

    /// Parses the value of an `if`, where `${{ }}` may be left out.
    pub(crate) fn condition(text: &str) -> Result<Self, Vec<SyntaxError>> {
        if Self::is_one(text) {
            return Self::parse(text);
        }
        let expr = parse(text).map_err(|error| vec![error])?;
        Ok(Self { pieces: vec![Piece::Expr { outer: 0..text.len(), inner: 0..text.len(), expr }], single: true })
    }
}

/// The position of `}}` outside of quoted strings.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && text.as_bytes().get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_quotes_do_not_close() {
        let template = Template::parse("a ${{ format('{{0}}') }} b").unwrap();
        assert_eq!(template.pieces.len(), 3);
        assert!(!template.single);
        assert!(Template::parse("${{ vars.x }}\n").unwrap().single);
    }

    #[test]
    fn all_errors_of_a_text_are_reported() {
        let errors = Template::parse("${{ a b }} ${{ 'x }}").unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].range, 6..8);
    }
}
