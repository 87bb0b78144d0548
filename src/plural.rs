//! Formats counts.

/// A count with its noun: `1 image`, `2 images`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
