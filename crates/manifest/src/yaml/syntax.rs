//! The parser's errors in words that help.

use granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::{Diagnostic, FileId, Span};

/// A finding from a syntax error.
pub(super) fn finding(file: FileId, text: &str, error: &ScanError) -> Diagnostic {
    let mut offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    // Errors at the end of the file are shown on the last line that says something.
    if text[offset..].trim().is_empty() {
        offset = text[..offset].trim_end().len();
    }
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line_start..offset];
    let tab = text[line_start..]
        .find(|c: char| c != ' ')
        .map(|at| line_start + at)
        .filter(|at| text[*at..].starts_with('\t'));
    let at = |start: usize| {
        let width = text[start..].chars().next().filter(|first| *first != '\n').map_or(0, char::len_utf8);
        Span { file, start: to_u32(start), end: to_u32(start + width) }
    };
    if let Some(tab) = tab.filter(|_| indent.trim().is_empty()) {
        return Diagnostic::error("syntax", at(tab), "a tab can't indent YAML")
            .help("Indent with spaces, two for each level.");
    }
    match open(&text[..offset]) {
        Some(start) if start < line_start || text[offset..].trim().is_empty() => {
            let what = &text[start..=start];
            let (message, help) = match what {
                "[" => ("the list that begins here is not closed", "Add the `]`."),
                "{" => ("the map that begins here is not closed", "Add the `}`."),
                _ => (
                    "the quoted text that begins here is not closed",
                    "Close the quote; inside '…' a quote is written '', inside \"…\" it is written \\\".",
                ),
            };
            return Diagnostic::error("syntax", at(start), message)
                .related(at(offset), "it can't go on here")
                .help(help);
        }
        _ => {}
    }
    let (message, help) = explain(error.kind());
    let finding = Diagnostic::error("syntax", at(offset), message.unwrap_or_else(|| error.info()));
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// The innermost bracket or quote that is still open at the end of a text. A guess for messages: block scalars are not known here.
fn open(text: &str) -> Option<usize> {
    let mut stack: Vec<usize> = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match quote {
            Some((_, '"')) if c == '"' && before != '\\' => quote = None,
            Some((_, '\'')) if c == '\'' => quote = None,
            Some((_, '#')) if c == '\n' => quote = None,
            Some(_) => {}
            None => {
                let begins = before.is_whitespace() || matches!(before, '[' | '{' | ',');
                match c {
                    '"' | '\'' if begins => quote = Some((at, c)),
                    '#' if before.is_whitespace() => quote = Some((at, c)),
                    '[' | '{' if begins => stack.push(at),
                    ']' | '}' => {
                        stack.pop();
                    }
                    _ => {}
                }
            }
        }
        before = c;
    }
    quote.filter(|(_, kind)| *kind != '#').map(|(at, _)| at).or(stack.pop())
}

fn explain(kind: &ErrorKind) -> (Option<String>, Option<&'static str>) {
    let (message, help) = match kind {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => {
            ("a tab can't indent YAML".to_owned(), "Indent with spaces, two for each level.")
        }
        ErrorKind::UnknownAnchor => (
            "no anchor of this name stands before the alias".to_owned(),
            "Set `&name` on the value that `*name` repeats, or quote a text that begins with `*`.",
        ),
        ErrorKind::UnexpectedEofFlowSequence => {
            ("the list that begins with `[` is not closed".to_owned(), "Add the `]`.")
        }
        ErrorKind::UnexpectedEofFlowMapping => {
            ("the map that begins with `{` is not closed".to_owned(), "Add the `}`.")
        }
        ErrorKind::ExpectedFlowMappingSeparator => (
            "a `,` or `}` was expected in the map that begins with `{`".to_owned(),
            "Separate entries with `,` and quote values that hold `{`, `}`, `,` or `: `.",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator => (
            "a `,` or `]` was expected in the list that begins with `[`".to_owned(),
            "Separate items with `,` and quote values that hold `[`, `]` or `,`.",
        ),
        ErrorKind::DirectiveDisallowed => (
            "a manifest takes no `%` directives".to_owned(),
            "Take the line out, or quote a value that begins with `%`.",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
            "this line is not indented like the ones that it belongs to".to_owned(),
            "Keys of one map begin in the same column; quote a value that holds `: `.",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "a `key: value` was expected here".to_owned(),
            "A key needs a `:` and a space behind it; quote a value that holds `: `.",
        ),
        _ => return (None, hint(kind)),
    };
    (Some(message), Some(help))
}

/// Help for errors whose own words are good enough.
fn hint(kind: &ErrorKind) -> Option<&'static str> {
    let name = format!("{kind:?}");
    if name.contains("Quote") {
        Some("Close the quote; inside '…' a quote is written '', inside \"…\" it is written \\\".")
    } else if name.contains("NestingLimit") || name.contains("RecursionLimit") {
        Some("A manifest never needs to nest that deep.")
    } else if matches!(kind, ErrorKind::UnexpectedCharacter { .. }) {
        Some("Quote a value that begins with one of @ ` % & * ! | > { [ .")
    } else {
        None
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
