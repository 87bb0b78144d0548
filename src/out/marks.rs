//! Marks this program's own escape sequences, to distinguish them from those in foreign text.
//!
//! Text is assembled long before it is written, so a color in it must be recognized then as this program's own. Its
//! escape sequences begin with a random mark instead of ESC.

use std::sync::LazyLock;

use uuid::Uuid;

/// Replaces `ESC [`: private-use characters (Unicode, plane 16), chosen at random in each process.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let drawn = Uuid::new_v4().into_bytes();
    drawn.iter().filter_map(|byte| char::from_u32(0x10_0000 + u32::from(*byte))).collect()
});

/// The final character of a sequence that sets colors and weights (ECMA-48, SGR).
const END: char = 'm';

/// Marks the escape sequences in a text of this program without foreign parts.
pub(crate) fn mark(sequence: &str) -> String {
    sequence.replace("\u{1b}[", &MARK)
}

/// Marks the escape sequences in the output of a renderer, which has replaced those of foreign text.
pub(crate) fn own(rendered: &str) -> String {
    mark(rendered)
}

/// Splits a text at its own escape sequences: the parameters of the sequence before each part, and the part.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    text.split(MARK.as_str()).enumerate().map(|(index, part)| {
        let parameters = part.find(|next: char| !next.is_ascii_digit() && next != ';').unwrap_or(part.len());
        match part[parameters..].strip_prefix(END) {
            Some(rest) if index > 0 => (Some(&part[..parameters]), rest),
            _ => (None, part),
        }
    })
}
