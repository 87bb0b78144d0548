//! Converts the YAML parser's errors to findings with help.

use granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::{Diagnostic, FileId, Span};

/// Converts a syntax error to a finding.
pub(super) fn finding(file: FileId, text: &str, error: &ScanError) -> Diagnostic {
    let mut offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    // Errors at the end of the file are shown on the last line that is not blank.
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
    // The line after a value without quotes would continue it: the error is at the value's end, the tab on the next line.
    let continued = matches!(error.kind(), ErrorKind::TabInPlainScalar)
        .then(|| text[offset..].find('\t').map(|at| offset + at))
        .flatten();
    if let Some(tab) = tab.filter(|_| indent.trim().is_empty()).or(continued) {
        return Diagnostic::error("syntax", at(tab), "tabs are not allowed for indentation")
            .help("Indent with spaces, two per level.");
    }
    match open(&text[..offset]) {
        Some(start) if start < line_start || text[offset..].trim().is_empty() => {
            let what = &text[start..=start];
            let (message, help) = match what {
                "[" => ("this list is not closed", "Add the `]`."),
                "{" => ("this map is not closed", "Add the `}`."),
                _ => (
                    "this quoted text is not closed",
                    "Close the quote. Inside '…' write '' for a quote; inside \"…\" write \\\".",
                ),
            };
            return Diagnostic::error("syntax", at(start), message)
                .related(at(offset), "the error was found here")
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

/// The innermost bracket or quote that is open at the end of a text. Only good enough for messages: it does not
/// recognize block scalars.
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
            ("tabs are not allowed for indentation".to_owned(), "Indent with spaces, two per level.")
        }
        ErrorKind::UnknownAnchor => (
            "the alias has no anchor of this name before it".to_owned(),
            "Add `&name` to the value that `*name` repeats, or quote text that starts with `*`.",
        ),
        ErrorKind::UnexpectedEofFlowSequence => {
            ("the list that starts with `[` is not closed".to_owned(), "Add the `]`.")
        }
        ErrorKind::UnexpectedEofFlowMapping => {
            ("the map that starts with `{` is not closed".to_owned(), "Add the `}`.")
        }
        ErrorKind::ExpectedFlowMappingSeparator => (
            "expected `,` or `}` in the map that starts with `{`".to_owned(),
            "Separate entries with `,` and quote values that contain `{`, `}`, `,` or `: `.",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator => (
            "expected `,` or `]` in the list that starts with `[`".to_owned(),
            "Separate items with `,` and quote values that contain `[`, `]` or `,`.",
        ),
        ErrorKind::DirectiveDisallowed => {
            ("`%` directives are not allowed".to_owned(), "Remove the line, or quote a value that starts with `%`.")
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
            "wrong indentation: this line does not line up with the lines around it".to_owned(),
            "Start all keys of a map in the same column; quote a value that contains `: `.",
        ),
        ErrorKind::MappingValueNotAllowed => (
            "a value without quotes must not contain `: `".to_owned(),
            "Quote the value, or write it on the next line after `|`.",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => (
            format!("the control character `{}` is not allowed", character.escape_default()),
            "Remove it, or write it as an escape in double quotes, such as \"\\x1b\".",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("expected `key: value`".to_owned(), "Put `:` and a space after the key; quote a value that contains `: `.")
        }
        _ => return (None, hint(kind)),
    };
    (Some(message), Some(help))
}

/// Help for errors whose own message is clear enough.
fn hint(kind: &ErrorKind) -> Option<&'static str> {
    let name = format!("{kind:?}");
    if name.contains("Quote") {
        Some("Close the quote. Inside '…' write '' for a quote; inside \"…\" write \\\".")
    } else if name.contains("NestingLimit") || name.contains("RecursionLimit") {
        Some("Nest at most 64 levels.")
    } else if matches!(kind, ErrorKind::UnexpectedCharacter { .. }) {
        Some("Quote a value that starts with one of @ ` % & * ! | > { [ .")
    } else {
        None
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
