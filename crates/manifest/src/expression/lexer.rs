//! Splits an expression into tokens.

use std::ops::Range;

use super::error::SyntaxError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(f64),
    Text(String),
    Symbol(&'static str),
}

/// Symbols, longest first, so that `==` is not read as two `=`.
const SYMBOLS: [&str; 17] = ["==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", ",", ".", "*", "!", "<", ">", "="];

/// All tokens with their ranges.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let start = at;
        let token = if next == '\'' {
            let (value, end) = quoted(text, at)?;
            at = end;
            Token::Text(value)
        } else if next == '"' {
            return Err(SyntaxError::new(at..at + 1, "strings in expressions are written in single quotes")
                .help("Write 'text'."));
        } else if next.is_ascii_alphabetic() || next == '_' {
            at += length(&text[at..], |c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            Token::Name(text[start..at].to_owned())
        } else if starts_number(&text[at..], tokens.last().map(|(token, _)| token)) {
            at += length(&text[at..], |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
            let number = number(&text[start..at]);
            Token::Number(
                number.ok_or_else(|| SyntaxError::new(start..at, format!("`{}` is not a number", &text[start..at])))?,
            )
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| text[at..].starts_with(**symbol)) {
            at += symbol.len();
            Token::Symbol(symbol)
        } else {
            let message = format!("unexpected `{next}` in the expression");
            return Err(SyntaxError::new(at..at + next.len_utf8(), message));
        };
        tokens.push((token, start..at));
    }
    Ok(tokens)
}

fn length(text: &str, takes: impl Fn(char) -> bool) -> usize {
    text.find(|c| !takes(c)).unwrap_or(text.len())
}

/// Whether a `.` starts a number: only if there is no value before it.
fn starts_number(text: &str, before: Option<&Token>) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first.is_ascii_digit() => true,
        Some('+' | '-') => chars.next().is_some_and(|second| second.is_ascii_digit() || second == '.'),
        Some('.') => {
            let follows_value = matches!(before, Some(Token::Name(_) | Token::Symbol(")" | "]" | "*")));
            !follows_value && chars.next().is_some_and(|second| second.is_ascii_digit())
        }
        _ => false,
    }
}

fn number(text: &str) -> Option<f64> {
    let radix = |digits: &str, base| u32::from_str_radix(digits, base).ok().map(|value| f64::from(value.cast_signed()));
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn quoted(text: &str, start: usize) -> Result<(String, usize), SyntaxError> {
    let mut value = String::new();
    let mut rest = &text[start + 1..];
    loop {
        let Some(end) = rest.find('\'') else {
            return Err(SyntaxError::new(start..text.len(), "the quoted string is not closed")
                .help("Close it with '. Inside the string, write a quote as ''."));
        };
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Ok((value, text.len() - rest.len())),
        }
    }
}
