//! How long it is worth to look again at what can't be deleted yet.

use std::time::Duration;

use crate::ledger::IMAGE;
use crate::run::Run;

/// How long to wait in all (docs/dev/lifecycle.md, "Ledger and clean-up").
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a cloud may still list an image that was deleted (docs/dev/aws.md, "Stale reads").
const STALE: Duration = Duration::from_secs(20);

/// Something that can't be deleted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Its kind, as in the ledger.
    pub kind: &'a str,
    /// The kind of what holds it, where that is known.
    pub held_by: Option<&'a str>,
}

/// The wait of one clean-up.
#[derive(Debug)]
pub struct Patience {
    begun: Duration,
}

impl Patience {
    /// The clean-up begins now.
    pub fn begin(run: &Run) -> Self {
        Self { begun: run.clock().elapsed() }
    }

    /// Pauses, where another look at what waits may help; else false. `refused` are the kinds of what can't be deleted at
    /// all: what they hold can't either. A cancelled run waits for nothing.
    pub async fn again(&self, run: &Run, waiting: &[Waiting<'_>], refused: &[&str]) -> bool {
        let passed = run.clock().elapsed().saturating_sub(self.begun);
        let over = passed > PATIENCE || !waiting.iter().any(|one| may_go(one, waiting, refused, passed));
        !over && run.sleep(PAUSE).await.is_ok()
    }
}

fn may_go(one: &Waiting<'_>, waiting: &[Waiting<'_>], refused: &[&str], passed: Duration) -> bool {
    let Some(holder) = one.held_by else { return true };
    // An image that nobody is about to delete keeps its snapshots; a machine that holds something is on its way.
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
