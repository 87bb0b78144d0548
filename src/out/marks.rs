//! Escape sequences of this program, told apart from those in foreign text.
//!
//! Text is put together long before it is written, so a colour in it has to be recognised there as this program's own.
//! Its escape sequences begin with a mark that nobody else knows, instead of ESC.

use std::sync::LazyLock;

use uuid::Uuid;

/// Replaces `ESC [`: characters for private use (Unicode, plane 16), drawn anew in each process.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let drawn = Uuid::new_v4().into_bytes();
    drawn.iter().filter_map(|byte| char::from_u32(0x10_0000 + u32::from(*byte))).collect()
});

/// The parameters of a sequence that sets colours and weights end here (ECMA-48, SGR).
const END: char = 'm';

/// Marks the escape sequences in a text that this program made, with nothing foreign in it.
pub(crate) fn mark(sequence: &str) -> String {
    sequence.replace("\u{1b}[", &MARK)
}

/// Marks the escape sequences of a text that a renderer made, which replaced those of foreign text.
pub(crate) fn own(rendered: &str) -> String {
    mark(rendered)
}

/// The parts of a text: the parameters of the escape sequence before each, and the text.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    text.split(MARK.as_str()).enumerate().map(|(index, part)| {
        let parameters = part.find(|next: char| !next.is_ascii_digit() && next != ';').unwrap_or(part.len());
        match part[parameters..].strip_prefix(END) {
            Some(rest) if index > 0 => (Some(&part[..parameters]), rest),
            _ => (None, part),
        }
    })
}
