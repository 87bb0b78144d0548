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
    let width = text[offset..].chars().next().filter(|first| *first != '\n').map_or(0, char::len_utf8);
    let span = Span { file, start: to_u32(offset), end: to_u32(offset + width) };
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line_start..offset];
    let tab = before.chars().all(char::is_whitespace) && (before.contains('\t') || text[offset..].starts_with('\t'));
    let (message, help) = if tab { explain(&ErrorKind::TabInBlockIndentation) } else { explain(error.kind()) };
    let finding = Diagnostic::error("syntax", span, message.unwrap_or_else(|| error.info()));
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
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
