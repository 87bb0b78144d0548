//! Resources that EC2 does not show yet, or does not show any more: its answers lag behind (EC2 API, "Eventual
//! consistency").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::{Error, Result};

/// Time for which something that was just created may be unknown.
const UNKNOWN: Duration = Duration::from_mins(1);

/// Resources that were created recently and not described since. For these "not found" does not mean that they were
/// deleted.
pub(crate) struct RecentlyCreated {
    clock: Arc<dyn Clock>,
    created: Mutex<HashMap<String, Duration>>,
}

impl RecentlyCreated {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), created: Mutex::default() }
    }

    /// Records that a resource was created now.
    pub(crate) fn created(&self, id: &str) {
        self.lock().insert(id.to_owned(), self.clock.elapsed());
    }

    /// Records that a resource was described, or that its deletion was accepted.
    pub(crate) fn seen(&self, id: &str) {
        self.lock().remove(id);
    }

    /// True when the resource may exist although EC2 does not find it.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let now = self.clock.elapsed();
        self.lock().get(id).is_some_and(|created| now.saturating_sub(*created) < UNKNOWN)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides what "not found" means for a resource that is waited for: normal for a while, then it was deleted.
pub(crate) struct MissingTimer {
    clock: Arc<dyn Clock>,
    since: Duration,
    what: String,
}

impl MissingTimer {
    /// A timer for a resource that was created now; `what` names it in messages: "the snapshot snap-1".
    pub(crate) fn new(clock: &Arc<dyn Clock>, what: impl Into<String>) -> Self {
        Self { clock: Arc::clone(clock), since: clock.elapsed(), what: what.into() }
    }

    /// Records that the resource exists.
    pub(crate) fn seen(&mut self) {
        self.since = self.clock.elapsed();
    }

    /// The result, once the resource has been missing for too long.
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
