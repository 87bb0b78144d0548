//! Formats durations. Every duration in a message is formatted here.

use std::time::Duration;

/// Formats a duration: `0.3s`, `9.8s`, `5s`, `45s`, `1m 30s`, `2h`, `2h 5m`. Below ten seconds a fraction has one
/// decimal.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) if duration.subsec_nanos() > 0 => format!("{:.1}s", duration.as_secs_f64()),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let texts = [300, 5_000, 9_840, 12_700, 60_000, 90_000, 300_000, 7_200_000, 7_530_000]
            .map(|milliseconds| human(Duration::from_millis(milliseconds)));
        assert_eq!(texts, ["0.3s", "5s", "9.8s", "12s", "1m", "1m 30s", "5m", "2h", "2h 5m"]);
    }
}
