//! The one clock of a run, so that tests move time by hand.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// A source of time. Durations are measured on a monotonic scale that begins with the run.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Time since the clock was made, monotonic.
    fn elapsed(&self) -> Duration;

    /// The wall-clock time, for tags, names and reports.
    fn now(&self) -> Timestamp;

    /// Returns once `duration` has passed.
    async fn sleep(&self, duration: Duration);
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
