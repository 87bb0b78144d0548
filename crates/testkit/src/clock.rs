//! A clock that tests move by hand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

/// A clock that stands still until [`ManualClock::advance`] moves it; sleepers wake when their time has come.
pub struct ManualClock {
    elapsed: watch::Sender<Duration>,
    pauses: Option<Pauses>,
}

/// Settings and state of pauses, which end at once.
struct Pauses {
    /// Sleeps shorter than this are pauses.
    below: Duration,
    /// Called at each pause.
    each: Box<dyn Fn() + Send + Sync>,
    /// When the pauses that have begun end.
    ends: Mutex<Vec<Duration>>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { elapsed: watch::Sender::new(Duration::ZERO), pauses: None }
    }
}

impl ManualClock {
    /// A clock on which sleeps shorter than `below` are pauses between attempts: each is over at once, after a call of
    /// `each`, and moves time on by its length. Longer ones are limits, which are reached only when the test moves time on.
    /// So an attempt may take as long as a busy machine needs.
    pub fn skipping(below: Duration, each: impl Fn() + Send + Sync + 'static) -> Self {
        let pauses = Pauses { below, each: Box::new(each), ends: Mutex::default() };
        Self { pauses: Some(pauses), ..Self::default() }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Moves the clock forward in steps, letting other tasks run in between, until `done` returns true.
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
        if let Some(pauses) = self.pauses.as_ref().filter(|pauses| duration < pauses.below) {
            let _begun = pauses.begin(until, &self.elapsed);
            // Lets other sleeps of the same `select!` begin: the shortest ends first.
            tokio::task::yield_now().await;
            while self.elapsed() < until {
                if pauses.next() == Some(until) {
                    (pauses.each)();
                    self.elapsed.send_modify(|elapsed| *elapsed = until.max(*elapsed));
                } else {
                    let _ = watch.changed().await;
                }
            }
            return;
        }
        // The sender lives as long as the clock, so that the wait only ends when the time has come.
        let _ = watch.wait_for(|elapsed| *elapsed >= until).await;
    }
}

impl Pauses {
    fn begin<'a>(&'a self, until: Duration, elapsed: &'a watch::Sender<Duration>) -> Begun<'a> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(until);
        Begun { pauses: self, until, elapsed }
    }

    /// When the first pause in progress ends.
    fn next(&self) -> Option<Duration> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).iter().min().copied()
    }
}

/// A pause that has begun; it is forgotten when it ends or its future is dropped.
struct Begun<'a> {
    pauses: &'a Pauses,
    until: Duration,
    elapsed: &'a watch::Sender<Duration>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut ends = self.pauses.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = ends.iter().position(|end| *end == self.until) {
            ends.swap_remove(at);
        }
        drop(ends);
        // Another pause may be the first now.
        self.elapsed.send_modify(|_| ());
    }
}
