//! What all bakes of a run use together: made once, awaited by all, taken away at the end.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::platform::Undo;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::Key;
use futures::future::join_all;
use tokio::sync::OnceCell;

use super::undo::undo;
use crate::platform::{Inner, PLATFORM};

/// The shared things of each run.
#[derive(Default)]
pub(crate) struct Shared(Mutex<HashMap<String, Arc<OfRun>>>);

/// The shared things of one run.
#[derive(Default)]
pub(super) struct OfRun {
    /// The login key.
    pub(super) key: OnceCell<Key>,
    /// This machine's own public address.
    pub(super) address: OnceCell<IpAddr>,
    /// Security groups.
    pub(super) groups: Once<super::network::GroupKey, String>,
    /// The groups through which the runner was let in.
    pub(super) opened: Once<super::network::GroupKey, ()>,
    /// Instance profiles by their policy.
    pub(super) profiles: Once<String, String>,
    /// The VPC's default group, by VPC.
    pub(super) defaults: Once<String, String>,
    launches: AtomicU64,
}

impl Shared {
    /// The things of this run.
    pub(super) fn of(&self, run: &Run) -> Arc<OfRun> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(run.id().to_owned()).or_default())
    }
}

impl OfRun {
    /// A number for each attempt to launch, so that no two of them share a token.
    pub(super) fn attempt(&self) -> u64 {
        self.launches.fetch_add(1, Ordering::Relaxed)
    }
}

/// Cells by key: who comes second waits for who came first; a failure is told to who met it, and the next one tries.
pub(crate) struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Once<K, V> {
    /// The value of `key`, made by `make` where there is none.
    pub(crate) async fn get(&self, key: K, make: impl Future<Output = Result<V>>) -> Result<V> {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        cell.get_or_try_init(|| make).await.cloned()
    }
}

/// Takes away what the run made for itself: key, groups, roles and profiles. Waits for nothing: what a machine that
/// shuts down still holds stays open in the ledger.
pub(crate) async fn close(aws: &Inner, run: &Run) -> Result<()> {
    // A role goes after the profile that holds it.
    for kinds in [&["key-pair", "security-group", "instance-profile"][..], &["role"]] {
        let open: Vec<Entry> = run
            .ledger()
            .open_entries()
            .into_iter()
            .filter(|entry| entry.platform == PLATFORM && kinds.contains(&entry.kind.as_str()))
            .collect();
        let undone = join_all(open.iter().map(|entry| undo(aws, run, entry))).await;
        for (entry, undone) in open.iter().zip(undone) {
            if undone? == Undo::Done {
                run.ledger().close_entry(entry, Closed::Deleted)?;
            }
        }
    }
    Ok(())
}
