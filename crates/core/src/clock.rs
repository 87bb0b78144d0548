//! The clock of a run, which tests replace to move time by hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// A source of time. Durations are measured on a monotonic scale that begins with the run.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Monotonic time since the clock was created.
    fn elapsed(&self) -> Duration;

    /// Wall-clock time, for tags, names and reports.
    fn now(&self) -> Timestamp;

    /// Learns a cloud's time, by which the cloud judges requests; [`Clock::now`] follows it if this machine's clock is
    /// off.
    fn learn(&self, _server: Timestamp) {}

    /// Returns once `duration` has passed.
    async fn sleep(&self, duration: Duration);
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
    /// Seconds by which a cloud's clock is ahead of the system's.
    ahead: AtomicI64,
}

/// Tolerated difference between two clocks, in seconds: an answer is a few seconds old, and its time is in whole
/// seconds.
const TOLERANCE: i64 = 30;

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now(), ahead: AtomicI64::new(0) }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(ahead).unwrap_or_else(|_| Timestamp::now())
    }

    fn learn(&self, server: Timestamp) {
        let ahead = server.duration_since(Timestamp::now()).as_secs();
        self.ahead.store(if ahead.abs() > TOLERANCE { ahead } else { 0 }, Ordering::Relaxed);
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_follows_the_servers() {
        let clock = SystemClock::default();
        let off = |hours| Timestamp::now() + SignedDuration::from_hours(hours);
        let differs = |from: Timestamp| clock.now().duration_since(from).as_secs().abs() > TOLERANCE;
        clock.learn(off(-24));
        assert!(!differs(off(-24)) && differs(Timestamp::now()));
        clock.learn(Timestamp::now() + SignedDuration::from_secs(5));
        assert!(!differs(Timestamp::now()), "an answer takes its time");
    }
}
