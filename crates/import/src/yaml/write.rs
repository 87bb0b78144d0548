//! Formats a tree as YAML: block style, short lists of scalars on one line, scripts as literal blocks. Hand-written,
//! since no YAML writer keeps comments.

use std::ops::Range;

use super::{Entry, Map, Value};
use crate::input::Location;

/// Lists of scalars up to this width are written in one line.
const WIDTH: usize = 100;

/// Formats a document.
pub(crate) fn write(root: &Map) -> String {
    written(root).text
}

/// Formats a document, with the origins of its parts.
pub(crate) fn written(root: &Map) -> WrittenText {
    let mut out = WrittenText::default();
    map(root, 0, false, &mut out);
    out
}

/// The text of a document, with the origins of its parts.
#[derive(Debug, Default)]
pub(crate) struct WrittenText {
    pub(crate) text: String,
    /// The byte range of each entry, with the field of the input that it comes from.
    pub(crate) parts: Vec<(Range<usize>, Location)>,
}

impl WrittenText {
    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

fn map(map: &Map, indent: usize, mut inline: bool, out: &mut WrittenText) {
    for entry in &map.0 {
        for line in &entry.comment {
            // After a dash, the comment would be between the dash and its key.
            if !inline {
                pad(indent, out);
                out.push_str(&comment(line));
            }
        }
        if inline {
            inline = false;
        } else {
            pad(indent, out);
        }
        self::entry(entry, indent, out);
    }
}

/// A line of a comment, without characters that YAML could read as a line break.
pub(crate) fn comment(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {}", line.trim()).trim_end().to_owned() + "\n"
}

fn entry(entry: &Entry, indent: usize, out: &mut WrittenText) {
    let start = out.text.len();
    out.push_str(&key(&entry.key));
    out.push(':');
    value(&entry.value, indent, out);
    if let Some(origin) = &entry.origin {
        out.parts.push((start..out.text.len(), origin.clone()));
    }
}

fn value(value: &Value, indent: usize, out: &mut WrittenText) {
    match value {
        Value::Raw(raw) => out.push_str(&format!(" {raw}\n")),
        Value::Text(text) => self::text(text, indent, out),
        Value::List(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Map(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::List(items) => {
            if let Some(line) = flow_list(items).filter(|line| line.len() + indent < WIDTH) {
                out.push_str(&format!(" {line}\n"));
                return;
            }
            out.push('\n');
            list(items, indent + 2, out);
        }
        Value::Map(map) => {
            out.push('\n');
            self::map(map, indent + 2, false, out);
        }
    }
}

fn list(items: &[Value], indent: usize, out: &mut WrittenText) {
    for item in items {
        if let Value::Map(map) = item {
            for line in map.0.first().map(|entry| entry.comment.as_slice()).unwrap_or_default() {
                pad(indent, out);
                out.push_str(&comment(line));
            }
        }
        pad(indent, out);
        out.push('-');
        match item {
            Value::Map(map) if !map.is_empty() => {
                out.push(' ');
                self::map(map, indent + 2, true, out);
            }
            Value::List(items) if !items.is_empty() => {
                if let Some(line) = flow_list(items) {
                    out.push_str(&format!(" {line}\n"));
                } else {
                    out.push('\n');
                    list(items, indent + 2, out);
                }
            }
            _ => value(item, indent, out),
        }
    }
}

/// Formats a list of scalars on one line.
fn flow_list(items: &[Value]) -> Option<String> {
    let words: Option<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Value::Raw(raw) => Some(raw.clone()),
            Value::Text(text) if !text.contains('\n') => Some(scalar(text, true)),
            _ => None,
        })
        .collect();
    Some(format!("[{}]", words?.join(", ")))
}

fn text(text: &str, indent: usize, out: &mut WrittenText) {
    if text.contains('\n') && is_block(text) {
        let body = text.strip_suffix('\n');
        out.push_str(if body.is_some() { " |\n" } else { " |-\n" });
        for line in body.unwrap_or(text).split('\n') {
            if !line.is_empty() {
                pad(indent + 2, out);
                out.push_str(line);
            }
            out.push('\n');
        }
        return;
    }
    out.push_str(&format!(" {}\n", scalar(text, false)));
}

/// Whether a literal block preserves a text exactly.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    !body.is_empty()
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body.chars().all(|c| {
            c == '\n' || c == '\t' || (!c.is_control() && !matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}'))
        })
}

fn key(key: &str) -> String {
    scalar(key, true)
}

/// Formats a scalar on one line, quoted where YAML would read it as something else.
fn scalar(text: &str, flow: bool) -> String {
    if is_plain(text, flow) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str, flow: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let starts = first.is_ascii_alphabetic() || matches!(first, '/' | '_' | '$' | '.' | '(');
    let middle = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                ' ' | '/'
                    | '_'
                    | '.'
                    | '-'
                    | '+'
                    | '='
                    | '@'
                    | '%'
                    | '$'
                    | '\''
                    | '"'
                    | ';'
                    | '&'
                    | '|'
                    | '>'
                    | '<'
                    | '('
                    | ')'
                    | '*'
                    | '?'
                    | '~'
                    | '^'
                    | '!'
                    | ':'
                    | '\\'
            )
            || (!flow && matches!(c, '{' | '}' | '[' | ']' | ','))
    };
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let duration = text
        .strip_suffix(['s', 'm', 'h', 'd'])
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty());
    // A leading dot may start a number.
    duration
        || starts
            && text.chars().all(middle)
            && !text.ends_with([' ', ':'])
            && !text.contains(": ")
            && !text.contains(" #")
            && !words.contains(&text.to_ascii_lowercase().as_str())
            && !(first == '.' && text.chars().nth(1).is_none_or(|c| c.is_ascii_digit() || c.is_ascii_alphabetic()))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn pad(indent: usize, out: &mut WrittenText) {
    out.push_str(&" ".repeat(indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another YAML parser reads every text unchanged.
    #[test]
    fn every_text_survives() {
        let texts = [
            "",
            "a",
            " a",
            "a ",
            "null",
            "Yes",
            "1.20",
            "0123",
            "a: b",
            "a #b",
            "#a",
            "- a",
            "[a]",
            "{a}",
            "*x",
            "&x",
            "!x",
            "%x",
            "${{ vars.a }}",
            "a\nb",
            "a\nb\n",
            "\na",
            "a\n\n",
            "a\n\n b",
            "  a\nb",
            "ä\u{2028}",
            "tab\tx",
            "a\r\nb",
            "'",
            "\"",
            "\\n",
            "a,b",
            ".5",
            ".inf",
            "~",
            "a:",
            "C:\\x",
            "http://x",
            "if [ -n \"$a\" ]; then\n  b: c #d\nfi",
            "\u{7f}\u{0}",
            "=",
            "|",
            ">",
            "a\n\tb",
        ];
        let mut root = Map::default();
        for (at, text) in texts.iter().enumerate() {
            root.set(format!("k{at}"), *text);
            root.set(format!("l{at}"), vec![Value::from(*text), Value::from("b")]);
            root.set(format!("x{at}:{text}"), *text);
        }
        let written = write(&root);
        let read: serde_yaml::Value =
            serde_yaml::from_str(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(read[format!("k{at}").as_str()].as_str(), Some(*text), "{written}");
            assert_eq!(read[format!("l{at}").as_str()][0].as_str(), Some(*text), "{written}");
            assert_eq!(read[format!("x{at}:{text}").as_str()].as_str(), Some(*text), "{written}");
        }
    }
}
