//! The end of a run: what its machines used together is deleted.

use ami_bake_core::Run;
use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::platform::Undo;
use futures::future::join_all;

use super::machines::Machines;
use super::undo::undo;
use crate::client::ledger::{INSTANCE_PROFILE, KEY_PAIR, PLATFORM, ROLE, SECURITY_GROUP};

/// Deletes what the run created for its machines: key, groups, roles and profiles. Waits for nothing: what a machine
/// that shuts down still holds stays open in the ledger.
pub(crate) async fn close(machines: &Machines, run: &Run) {
    // A role can be deleted after the profile that holds it.
    for kinds in [&[KEY_PAIR, SECURITY_GROUP, INSTANCE_PROFILE][..], &[ROLE]] {
        let open: Vec<Entry> = run
            .ledger()
            .open_entries()
            .into_iter()
            .filter(|entry| entry.platform == PLATFORM && kinds.contains(&entry.kind.as_str()))
            .collect();
        let undone = join_all(open.iter().map(|entry| undo(machines, run, entry))).await;
        for (entry, undone) in open.iter().zip(undone) {
            // What fails here is tried again, and reported, with everything else that is still open.
            if matches!(undone, Ok(Undo::Done)) {
                run.ledger().close_entry(entry, Closed::Deleted);
            }
        }
    }
}
