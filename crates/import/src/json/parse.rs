//! The parser (RFC 8259), with words for the mistakes that people make in templates.

use std::ops::Range;

use super::{Kind, Member, Node};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) help: &'static str,
    pub(crate) span: Range<usize>,
}

/// No real template nests deeper, and a hostile one must not end the program.
const DEPTH: usize = 100;

/// Reads a whole document.
pub(crate) fn parse(text: &str) -> Result<Node, Mistake> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut parser = Parser { text, at: start };
    parser.space();
    let node = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.here("there is more behind the end of the document", "One file holds one JSON document."));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        self.at += self.rest().find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')).unwrap_or(self.rest().len());
    }

    /// A mistake at the next character.
    fn here(&self, message: &str, help: &'static str) -> Mistake {
        let width = self.peek().map_or(0, char::len_utf8);
        Mistake { message: message.to_owned(), help, span: self.at..self.at + width }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Mistake> {
        let start = self.at;
        if depth > DEPTH {
            return Err(self.here("the document nests too deep", "A template never needs that many levels."));
        }
        let kind = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Kind::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('\'') => {
                return Err(self.here("text stands in single quotes", "JSON quotes with \"."));
            }
            Some('/' | '#') => {
                return Err(self.here(
                    "a comment stands where a value is expected",
                    "JSON has no comments: use a key such as \"_comment\".",
                ));
            }
            None => return Err(self.here("the document ends where a value is expected", "Is the file complete?")),
            Some(_) => self.word()?,
        };
        Ok(Node { kind, span: start..self.at })
    }

    fn word(&mut self) -> Result<Kind, Mistake> {
        let length = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let kind = match &self.rest()[..length] {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => return Err(self.here("this is no JSON value", "Text stands in \"quotes\".")),
        };
        self.at += length;
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, Mistake> {
        let rest = self.rest();
        let length =
            rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let text = &rest[..length];
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            let span = self.at..self.at + length;
            let message = format!("`{text}` is not a number");
            return Err(Mistake { message, help: "Put it in \"quotes\" if it is text.", span });
        }
        let text = text.to_owned();
        self.at += length;
        Ok(Kind::Number(text))
    }

    fn string(&mut self) -> Result<String, Mistake> {
        let start = self.at;
        let mut escaped = false;
        for (offset, c) in self.text[start + 1..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let end = start + 1 + offset + 1;
                    self.at = end;
                    return serde_json::from_str(&self.text[start..end]).map_err(|_| Mistake {
                        message: "this text holds an escape that JSON does not have".to_owned(),
                        help: "Write \\\\ for a backslash; JSON knows \\n, \\t, \\\" and \\uXXXX.",
                        span: start..end,
                    });
                }
                '\n' | '\r' => {
                    return Err(Mistake {
                        message: "the text is not closed on its line".to_owned(),
                        help: "Close it with \", and write \\n for a line break.",
                        span: start..start + 1 + offset,
                    });
                }
                _ => {}
            }
        }
        let message = "the text that begins here is not closed".to_owned();
        Err(Mistake { message, help: "Close it with \".", span: start..start + 1 })
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Mistake> {
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

    fn map(&mut self, depth: usize) -> Result<Kind, Mistake> {
        let open = self.at;
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some('}') if members.is_empty() => break,
                Some('"') => {}
                Some('/' | '#') => {
                    return Err(self.here(
                        "a comment stands where a key is expected",
                        "JSON has no comments: use a key such as \"_comment\".",
                    ));
                }
                None => return Err(self.unclosed(open)),
                Some(_) => return Err(self.here("a key in \"quotes\" is expected here", "Write \"key\": value.")),
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(':') {
                return Err(self.here("a `:` is expected behind the key", "Write \"key\": value."));
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1)?;
            members.push(Member { key, value });
            if !self.another(open, '}')? {
                break;
            }
        }
        self.at += 1;
        Ok(Kind::Map(members))
    }

    /// Behind an item: whether another follows. Stands at the closing bracket when none does.
    fn another(&mut self, open: usize, close: char) -> Result<bool, Mistake> {
        self.space();
        match self.peek() {
            Some(c) if c == close => Ok(false),
            Some(',') => {
                let comma = self.at;
                self.at += 1;
                self.space();
                match self.peek() {
                    Some('}' | ']') => Err(Mistake {
                        message: format!("there is a comma behind the last entry, before the `{close}`"),
                        help: "Take the comma out: JSON takes none there.",
                        span: comma..comma + 1,
                    }),
                    Some(',') => Err(self.here("there are two commas", "Take one out.")),
                    None => Err(self.unclosed(open)),
                    Some(_) => Ok(true),
                }
            }
            None => Err(self.unclosed(open)),
            Some(_) => Err(self.here(
                &format!("a `,` or `{close}` is expected here"),
                "Is there a comma missing behind the entry before?",
            )),
        }
    }

    fn unclosed(&self, open: usize) -> Mistake {
        let bracket = &self.text[open..=open];
        Mistake {
            message: format!("the `{bracket}` that begins here is not closed"),
            help: "Is the file complete?",
            span: open..open + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_comma_is_shown_where_it_stands() {
        let mistake = parse("{\n  \"a\": [1, 2],\n}").unwrap_err();
        assert_eq!(mistake.span, 15..16);
        assert!(mistake.message.contains("comma behind the last entry"), "{}", mistake.message);
    }

    #[test]
    fn mistakes_have_words_of_their_own() {
        let message = |text: &str| parse(text).unwrap_err().message;
        assert!(message("{\"a\": 1 \"b\": 2}").contains("a `,` or `}`"));
        assert!(message("{'a': 1}").contains("key in \"quotes\""));
        assert!(message("{\"a\": \"x\n\"}").contains("not closed on its line"));
        assert!(message("[1").contains("`[` that begins here"));
        assert!(message("// hi\n{}").contains("comment"));
        assert!(message("{\"a\": 01x}").contains("not a number"));
        assert!(message(&"[".repeat(5000)).contains("too deep"));
    }

    #[test]
    fn values_keep_their_order_and_duplicates() {
        let node = parse("{\"b\": 1, \"a\": \"\\u00fc\", \"b\": -2.5}").unwrap();
        assert_eq!(node.members().len(), 3);
        assert_eq!(node.get("b").and_then(Node::scalar), Some("-2.5"));
        assert_eq!(node.get("a").and_then(Node::scalar), Some("ü"));
    }
}
