//! Small pieces of text for people.

use std::time::Duration;

/// A duration as the manifest writes it: `500ms`, `60 s`, `5 min`, `1 h 30 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..=119 => format!("{seconds} s"),
        120..=7199 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        120..=7199 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The beginning of a text in one line, for a message.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let line = ami_bake_core::output::sanitize(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if line.chars().count() <= limit { line } else { format!("{}…", line.chars().take(limit).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let texts = [300, 60_000, 300_000, 125_000, 9_000_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(texts, ["300 ms", "60 s", "5 min", "2 min 5 s", "2 h 30 min"]);
    }

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(excerpt("a\n  b\u{1b}[1m c", 20), "a b c");
        assert_eq!(excerpt("abcdef", 3), "abc…");
    }
}
