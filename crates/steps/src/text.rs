//! Helpers for texts in messages.

/// The beginning of a text on one line, for a message.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let line = ami_bake_core::output::sanitize(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if line.chars().count() <= limit { line } else { format!("{}…", line.chars().take(limit).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(excerpt("a\n  b\u{1b}[1m c", 20), "a b c");
        assert_eq!(excerpt("abcdef", 3), "abc…");
    }
}
