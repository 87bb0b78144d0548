//! Deletes the resources that a run's machines shared, at the end of the run.

use ami_bake_core::Run;
use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::platform::Undo;
use futures::future::join_all;

use super::machines::Machines;
use super::undo::undo;
use crate::client::ledger::{INSTANCE_PROFILE, KEY_PAIR, PLATFORM, ROLE, SECURITY_GROUP};

/// Deletes what the run created for its machines: key pair, groups, roles and profiles. Does not wait: resources that a
/// machine still uses while it shuts down stay open in the ledger.
pub(crate) async fn close(machines: &Machines, run: &Run) {
    // A role can be deleted after its profile.
    for kinds in [&[KEY_PAIR, SECURITY_GROUP, INSTANCE_PROFILE][..], &[ROLE]] {
        let open: Vec<Entry> = run
            .ledger()
            .open_entries()
            .into_iter()
            .filter(|entry| entry.platform == PLATFORM && kinds.contains(&entry.kind.as_str()))
            .collect();
        let undone = join_all(open.iter().map(|entry| undo(machines, run, entry))).await;
        for (entry, undone) in open.iter().zip(undone) {
            // Failures are retried and reported with everything else that is still open.
            if matches!(undone, Ok(Undo::Done)) {
                run.ledger().close_entry(entry, Closed::Deleted);
            }
        }
    }
}
