//! AWS' time according to its answers, and the difference to this machine's clock.

use ami_bake_core::duration::human;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::{SignedDuration, Timestamp};

/// Accepted difference of the clocks. AWS refuses requests signed five minutes before or after its own time (AWS
/// General Reference, "Signing AWS API requests"); an answer may be some seconds old.
const ACCEPTED: SignedDuration = SignedDuration::from_secs(4 * 60);

/// The time of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerTime {
    /// Time according to AWS.
    pub(super) at: Timestamp,
    /// How far this machine's clock is ahead of AWS'.
    ahead: SignedDuration,
}

impl ServerTime {
    /// The time in the header `Date` (RFC 9110), if there is one.
    pub(super) fn of(response: &HttpResponse) -> Option<Self> {
        Self::read(response.headers().get("date")?, Timestamp::now())
    }

    fn read(date: &str, now: Timestamp) -> Option<Self> {
        let date = DateTime::from_str(date, Format::HttpDate).ok()?;
        let at = Timestamp::from_second(date.secs()).ok()?;
        Some(Self { at, ahead: now.duration_since(at) })
    }

    /// True when AWS may refuse requests because of the difference.
    pub(super) fn is_off(self) -> bool {
        self.ahead.abs() > ACCEPTED
    }

    /// The difference as a clause: "the clock of this machine is 1d 2h ahead of AWS".
    pub(super) fn in_words(self) -> String {
        let way = if self.ahead.is_negative() { "behind" } else { "ahead of" };
        format!("the clock of this machine is {} {way} AWS", human(self.ahead.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_read_from_the_date() {
        let now: Timestamp = "2026-11-30T10:00:00Z".parse().unwrap();
        let read = |date| ServerTime::read(date, now);
        let behind = read("Mon, 30 Nov 2026 12:00:00 GMT").unwrap();
        assert!(behind.is_off());
        assert_eq!(behind.in_words(), "the clock of this machine is 2h behind AWS");
        assert_eq!(behind.at.to_string(), "2026-11-30T12:00:00Z");
        assert!(read("Sun, 29 Nov 2026 10:00:00 GMT").unwrap().in_words().contains("ahead of AWS"));
        assert!(!read("Mon, 30 Nov 2026 09:59:00 GMT").unwrap().is_off());
        assert!(read("yesterday").is_none());
    }
}
