//! What EC2 does not show yet, or no more: its answers lag behind what was done (EC2 API, "Eventual consistency").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::{Error, Result};

/// How long something that was just created may be unknown.
const UNKNOWN: Duration = Duration::from_mins(1);

/// What was created a moment ago and not described since. Until it is, "not found" does not mean that it was deleted.
pub(crate) struct RecentlyCreated {
    clock: Arc<dyn Clock>,
    created: Mutex<HashMap<String, Duration>>,
}

impl RecentlyCreated {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), created: Mutex::default() }
    }

    /// Notes that it was created now.
    pub(crate) fn created(&self, id: &str) {
        self.lock().insert(id.to_owned(), self.clock.elapsed());
    }

    /// Notes that it was seen, or that its deletion was accepted.
    pub(crate) fn seen(&self, id: &str) {
        self.lock().remove(id);
    }

    /// True when it may be there although EC2 does not find it.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let now = self.clock.elapsed();
        self.lock().get(id).is_some_and(|created| now.saturating_sub(*created) < UNKNOWN)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides what "EC2 does not know it" means for something that is waited for: normal for a while, then it was deleted.
pub(crate) struct MissingTimer {
    clock: Arc<dyn Clock>,
    since: Duration,
    what: String,
}

impl MissingTimer {
    /// For something that was created now; `what` names it in words: "the snapshot snap-1".
    pub(crate) fn new(clock: &Arc<dyn Clock>, what: impl Into<String>) -> Self {
        Self { clock: Arc::clone(clock), since: clock.elapsed(), what: what.into() }
    }

    /// Notes that it exists.
    pub(crate) fn seen(&mut self) {
        self.since = self.clock.elapsed();
    }

    /// A verdict once it was missing for too long.
    pub(crate) fn missing<T>(&self) -> Option<Result<T>> {
        (self.clock.elapsed().saturating_sub(self.since) > UNKNOWN).then(|| {
            Err(Error::build(format!("{} no longer exists", self.what))
                .help("It was deleted by something else, such as a clean-up job in the account."))
        })
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::clock::SystemClock;

    use super::*;

    #[test]
    fn only_what_was_never_seen_is_recent() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let recent = RecentlyCreated::new(&clock);
        recent.created("snap-1");
        recent.created("snap-2");
        recent.seen("snap-2");
        assert!(recent.holds("snap-1"));
        assert!(!recent.holds("snap-2") && !recent.holds("snap-of-another-run"));
    }
}
