//! Parses JSON into a tree.
//!
//! Hand-written, since serde_json keeps neither the locations of values nor duplicate keys, and since YAML readers
//! accept what JSON tools refuse (comments, trailing commas). RFC 8259, with messages for the mistakes that people
//! make.

use std::ops::Range;

use super::{Entry, Kind, MAX_DEPTH, Meaning, Node, Scalar, too_large};
use crate::diagnostic::{Diagnostic, FileId, Span};

/// Parses a whole document. Duplicate keys are kept, numbers keep the text that was written. An error is added to
/// `findings`, and the result is `None`.
pub fn parse_json(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    if let Some(finding) = too_large(file, text) {
        findings.push(finding);
        return None;
    }
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = Parser { file, text, at: start };
    match parser.document() {
        Ok(node) => Some(node),
        Err(SyntaxError { message, help, range }) => {
            findings.push(Diagnostic::error("syntax", parser.span(range), message).help(help));
            None
        }
    }
}

/// Why a text is not JSON.
struct SyntaxError {
    message: String,
    help: &'static str,
    range: Range<usize>,
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn span(&self, range: Range<usize>) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, start: offset(range.start), end: offset(range.end) }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        self.at += self.rest().find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')).unwrap_or(self.rest().len());
    }

    /// An error at the next character.
    fn here(&self, message: impl Into<String>, help: &'static str) -> SyntaxError {
        let width = self.peek().map_or(0, char::len_utf8);
        SyntaxError { message: message.into(), help, range: self.at..self.at + width }
    }

    fn document(&mut self) -> Result<Node, SyntaxError> {
        self.space();
        let node = self.value(1)?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.here("unexpected text after the end of the document", "Put one JSON document in a file."));
        }
        Ok(node)
    }

    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(self.here("the document is nested too deeply", "Nest at most 64 levels."));
        }
        let kind = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Kind::Scalar(Scalar { text: self.string()?, meaning: Meaning::Text }),
            Some('-' | '0'..='9') => Kind::Scalar(self.number()?),
            Some('\'') => return Err(self.here("JSON strings use double quotes", "Write \"…\" instead of '…'.")),
            Some('/' | '#') => {
                return Err(self.here(
                    "expected a value, found a comment",
                    "JSON has no comments: use a key such as \"_comment\".",
                ));
            }
            None => return Err(self.here("expected a value, found the end of the file", "Is the file complete?")),
            Some(_) => Kind::Scalar(self.word()?),
        };
        Ok(Node { span: self.span(start..self.at), kind })
    }

    fn word(&mut self) -> Result<Scalar, SyntaxError> {
        let length = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let text = self.rest()[..length].to_owned();
        let meaning = match text.as_str() {
            "null" => Meaning::Null,
            "true" => Meaning::Boolean(true),
            "false" => Meaning::Boolean(false),
            _ => return Err(self.here("this is not a JSON value", "Put text in \"quotes\".")),
        };
        self.at += length;
        Ok(Scalar { text, meaning })
    }

    fn number(&mut self) -> Result<Scalar, SyntaxError> {
        let rest = self.rest();
        let length =
            rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let text = rest[..length].to_owned();
        let Ok(number) = serde_json::from_str::<serde_json::Number>(&text) else {
            let range = self.at..self.at + length;
            let message = format!("`{text}` is not a number");
            return Err(SyntaxError { message, help: "Put it in \"quotes\" if it is text.", range });
        };
        // A number too large for 64 bits keeps its magnitude as a float, and its text unchanged.
        let meaning = match number.as_i64() {
            Some(whole) => Meaning::Integer(whole),
            None => Meaning::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        };
        self.at += length;
        Ok(Scalar { text, meaning })
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let mut escaped = false;
        for (offset, c) in self.text[start + 1..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let end = start + 1 + offset + 1;
                    self.at = end;
                    return serde_json::from_str(&self.text[start..end]).map_err(|_| SyntaxError {
                        message: "this string has an escape that JSON does not support".to_owned(),
                        help: "Write \\\\ for a backslash; JSON has \\n, \\t, \\\" and \\uXXXX.",
                        range: start..end,
                    });
                }
                '\n' | '\r' => {
                    return Err(SyntaxError {
                        message: "the string is not closed on its line".to_owned(),
                        help: "Close it with \", and write \\n for a line break.",
                        range: start..start + 1 + offset,
                    });
                }
                _ => {}
            }
        }
        let message = "this string is not closed".to_owned();
        Err(SyntaxError { message, help: "Close it with \".", range: start..start + 1 })
    }

    fn list(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if items.is_empty() && self.peek() == Some(']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            if !self.another(open, ']')? {
                break;
            }
        }
        self.at += 1;
        Ok(Kind::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some('}') if entries.is_empty() => break,
                Some('"') => {}
                Some('/' | '#') => {
                    return Err(self.here(
                        "expected a key, found a comment",
                        "JSON has no comments: use a key such as \"_comment\".",
                    ));
                }
                None => return Err(self.unclosed(open)),
                Some(_) => return Err(self.here("expected a key in \"quotes\"", "Write \"key\": value.")),
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = self.span(start..self.at);
            self.space();
            if self.peek() != Some(':') {
                return Err(self.here("expected `:` after the key", "Write \"key\": value."));
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, value });
            if !self.another(open, '}')? {
                break;
            }
        }
        self.at += 1;
        Ok(Kind::Map(entries))
    }

    /// Whether another item follows. Stops at the closing bracket if none does.
    fn another(&mut self, open: usize, close: char) -> Result<bool, SyntaxError> {
        self.space();
        match self.peek() {
            Some(c) if c == close => Ok(false),
            Some(',') => {
                let comma = self.at;
                self.at += 1;
                self.space();
                match self.peek() {
                    Some('}' | ']') => Err(SyntaxError {
                        message: format!("trailing comma before `{close}`"),
                        help: "Remove the comma: JSON does not allow it here.",
                        range: comma..comma + 1,
                    }),
                    Some(',') => Err(self.here("two commas in a row", "Remove one of them.")),
                    None => Err(self.unclosed(open)),
                    Some(_) => Ok(true),
                }
            }
            None => Err(self.unclosed(open)),
            Some(_) => {
                Err(self.here(format!("expected `,` or `{close}`"), "Is a comma missing after the previous entry?"))
            }
        }
    }

    fn unclosed(&self, open: usize) -> SyntaxError {
        let bracket = &self.text[open..=open];
        SyntaxError {
            message: format!("the `{bracket}` here is not closed"),
            help: "Is the file complete?",
            range: open..open + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    fn read(text: &str) -> Result<Node, Box<Diagnostic>> {
        let file = Sources::default().add("web.json", text);
        let mut findings = Vec::new();
        parse_json(file, text, &mut findings).ok_or_else(|| Box::new(findings.remove(0)))
    }

    #[test]
    fn a_trailing_comma_is_shown_where_it_is() {
        let error = read("{\n  \"a\": [1, 2],\n}").unwrap_err();
        assert_eq!(error.span.unwrap().range(), 15..16);
        assert!(error.message.contains("trailing comma"), "{}", error.message);
    }

    #[test]
    fn common_mistakes_have_messages_of_their_own() {
        let message = |text: &str| read(text).unwrap_err().message;
        assert!(message("{\"a\": 1 \"b\": 2}").contains("`,` or `}`"));
        assert!(message("{'a': 1}").contains("key in \"quotes\""));
        assert!(message("{\"a\": \"x\n\"}").contains("not closed on its line"));
        assert!(message("{\"a\": \"\\x\"}").contains("escape"));
        assert!(message("[1").contains("`[` here"));
        assert!(message("// hi\n{}").contains("comment"));
        assert!(message("{\"a\": 01x}").contains("not a number"));
        assert!(message(&"[".repeat(5000)).contains("nested too deeply"));
    }

    #[test]
    fn values_keep_their_order_duplicates_and_spelling() {
        let text = "{\"b\": 1, \"a\": \"\\u00fc\\ud83d\\ude00\", \"b\": -2.50, \"c\": 123456789012345678901234567890}";
        let node = read(text).unwrap();
        let keys: Vec<&str> = node.entries().iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "b", "c"]);
        let written = |key: &str| node.get(key).and_then(Node::scalar).map(|scalar| scalar.text.as_str());
        assert_eq!(written("b"), Some("-2.50"));
        assert_eq!(written("a"), Some("ü😀"));
        assert_eq!(written("c"), Some("123456789012345678901234567890"));
        assert!(matches!(node.get("c").unwrap().scalar().unwrap().meaning, Meaning::Float(_)));
        assert_eq!(&text[node.entries()[2].key_span.range()], "\"b\"");
        assert_eq!(&text[node.get("b").unwrap().span.range()], "-2.50");
        assert!(read("\u{feff} {} ").is_ok());
    }
}
