//! Decides how long to retry the deletion of resources that are still in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ledger::IMAGE;
use crate::run::{QUIET, Run};

/// Maximum time for all retries of a clean-up (docs/dev/lifecycle.md, "Ledger and clean-up").
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// Maximum time for which a cloud may still list an image that was deleted (docs/dev/aws.md, "Stale reads").
const STALE: Duration = Duration::from_secs(20);

/// A resource that can't be deleted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Kind of the resource, as in the ledger.
    pub kind: &'a str,
    /// Kind of the resource that blocks the deletion, if known.
    pub held_by: Option<&'a str>,
}

/// The time budget of one clean-up.
#[derive(Debug)]
pub struct Patience {
    begun: Duration,
    /// Whether the wait was reported.
    said: AtomicBool,
}

impl Patience {
    /// Starts the time budget.
    pub fn begin(run: &Run) -> Self {
        Self { begun: run.clock().elapsed(), said: AtomicBool::new(false) }
    }

    /// Pauses and returns true if another attempt at the `waiting` resources may help. `refused` are the kinds of
    /// resources that can't be deleted at all, nor can what they block. A cancelled run does not wait.
    pub async fn again(&self, run: &Run, waiting: &[Waiting<'_>], refused: &[&str]) -> bool {
        let passed = run.clock().elapsed().saturating_sub(self.begun);
        let over = passed > PATIENCE || !waiting.iter().any(|one| may_go(one, waiting, refused, passed));
        if !over && passed >= QUIET && !self.said.swap(true, Ordering::Relaxed) {
            let mut kinds: Vec<String> = waiting.iter().map(|one| one.kind.replace('-', " ")).collect();
            kinds.sort();
            kinds.dedup();
            run.progress(format!("Waiting for what is still in use ({}) before it is deleted", kinds.join(", ")));
        }
        !over && run.sleep(PAUSE).await.is_ok()
    }
}

fn may_go(one: &Waiting<'_>, waiting: &[Waiting<'_>], refused: &[&str], passed: Duration) -> bool {
    let Some(holder) = one.held_by else { return true };
    // An image that nobody is deleting keeps its snapshots; a machine that blocks something is being terminated.
    let stays = holder == IMAGE && passed > STALE && waiting.iter().all(|other| other.kind != holder);
    !(refused.contains(&holder) || stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_by_something_that_stays_is_not_waited_for() {
        let snapshot = Waiting { kind: "snapshot", held_by: Some(IMAGE) };
        let image = Waiting { kind: IMAGE, held_by: None };
        let group = Waiting { kind: "security-group", held_by: Some("instance") };
        let soon = Duration::from_secs(1);
        let late = Duration::from_secs(30);
        assert!(may_go(&snapshot, &[snapshot], &[], soon), "the list may be old");
        assert!(!may_go(&snapshot, &[snapshot], &[], late));
        assert!(may_go(&snapshot, &[snapshot, image], &[], late), "the image goes first");
        assert!(!may_go(&snapshot, &[snapshot], &[IMAGE], soon));
        assert!(may_go(&group, &[group], &[IMAGE], late) && !may_go(&group, &[group], &["instance"], soon));
    }
}
