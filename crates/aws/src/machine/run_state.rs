//! What the machines of a run use together: created once, awaited by all, deleted at the run's end.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::Run;
use ami_bake_ssh::Key;
use tokio::sync::OnceCell;

use crate::client::KeyedOnceCell;

/// The state of each run, by its id.
#[derive(Default)]
pub(super) struct RunStates(Mutex<HashMap<String, Arc<RunState>>>);

/// Resources that the machines of one run share.
#[derive(Default)]
pub(super) struct RunState {
    /// The login key.
    pub(super) key: OnceCell<Key>,
    /// This machine's own public address.
    pub(super) address: OnceCell<IpAddr>,
    /// Security groups.
    pub(super) groups: KeyedOnceCell<GroupKey, String>,
    /// The groups that allow the runner in.
    pub(super) opened: KeyedOnceCell<GroupKey, ()>,
    /// Instance profiles by their policy.
    pub(super) profiles: KeyedOnceCell<String, String>,
    /// The VPC's default group, by VPC.
    pub(super) defaults: KeyedOnceCell<String, String>,
    launches: AtomicU64,
}

/// What a security group is shared by: bakes in one VPC that may be reached by the same addresses on the same port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) vpc: Option<String>,
    pub(super) cidrs: Vec<String>,
    pub(super) port: u16,
}

impl RunStates {
    /// The state of this run.
    pub(super) fn of(&self, run: &Run) -> Arc<RunState> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(run.id().to_owned()).or_default())
    }
}

impl RunState {
    /// A number for each attempt to launch, so that no two of them share a token.
    pub(super) fn attempt(&self) -> u64 {
        self.launches.fetch_add(1, Ordering::Relaxed)
    }
}
