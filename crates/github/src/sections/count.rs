//! Formats counts.

/// A count with its noun: `1 test`, `2 tests`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
