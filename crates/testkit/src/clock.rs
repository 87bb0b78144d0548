//! A clock that tests move by hand.

use std::time::Duration;

use ami_bake_core::clock::Clock;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

/// Time stands still until [`ManualClock::advance`] moves it; sleepers wake once it is their time.
#[derive(Debug)]
pub struct ManualClock {
    elapsed: watch::Sender<Duration>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { elapsed: watch::Sender::new(Duration::ZERO) }
    }
}

impl ManualClock {
    /// Moves time on.
    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Moves time on in steps, letting other tasks run in between, until `done` says so.
    pub async fn run_until(&self, step: Duration, mut done: impl FnMut() -> bool) {
        while !done() {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.advance(step);
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn now(&self) -> Timestamp {
        // A fixed day, so that names and tags in tests never change.
        Timestamp::UNIX_EPOCH + Duration::from_hours(24 * 20_000) + self.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        let mut watch = self.elapsed.subscribe();
        let until = *watch.borrow() + duration;
        // The sender lives as long as the clock, so that the wait only ends when the time has come.
        let _ = watch.wait_for(|elapsed| *elapsed >= until).await;
    }
}
