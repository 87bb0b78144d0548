//! Durations in Go's notation, such as `1h30m`.

/// The duration in seconds; `None` when the text is not a duration.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|digits| *digits > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        // `ms` before `m`.
        let units = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        total += number * factor;
        rest = &tail[unit.len()..];
    }
    Some(total)
}

/// A duration in the manifest's syntax; a plain number is in seconds.
pub(crate) fn normalized(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{text}s"));
    }
    seconds(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(normalized("1h30m").as_deref(), Some("1h30m"));
        assert_eq!(normalized("10000s").as_deref(), Some("10000s"));
        assert_eq!(normalized("5").as_deref(), Some("5s"));
        assert_eq!(normalized("5 minutes"), None);
        assert_eq!(normalized("m"), None);
    }
}
