//! Resources that the machines of a run share: created once, deleted at the end of the run.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::Run;
use ami_bake_ssh::{Key, KeyType};
use tokio::sync::OnceCell;

use crate::client::KeyedOnceCell;

/// The state of each run, by its ID.
#[derive(Default)]
pub(super) struct RunStates(Mutex<HashMap<String, Arc<RunState>>>);

/// Resources that the machines of one run share.
#[derive(Default)]
pub(super) struct RunState {
    /// The login keys by type.
    pub(super) keys: KeyedOnceCell<KeyType, Key>,
    /// The types of key pairs that were imported into EC2.
    pub(super) imported: KeyedOnceCell<KeyType, ()>,
    /// This computer's own public address.
    pub(super) address: OnceCell<IpAddr>,
    /// IDs of security groups.
    pub(super) groups: KeyedOnceCell<GroupKey, String>,
    /// Groups that have a rule for the runner's address.
    pub(super) opened: KeyedOnceCell<GroupKey, ()>,
    /// Names of instance profiles by their policy.
    pub(super) profiles: KeyedOnceCell<String, String>,
    /// IDs of default groups by VPC.
    pub(super) defaults: KeyedOnceCell<String, String>,
    launches: AtomicU64,
}

/// Key of a security group: bakes in the same VPC with the same ingress addresses and port share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) vpc: Option<String>,
    pub(super) cidrs: Vec<String>,
    pub(super) ports: Vec<u16>,
}

impl RunStates {
    /// The state of this run.
    pub(super) fn of(&self, run: &Run) -> Arc<RunState> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(run.id().to_owned()).or_default())
    }
}

impl RunState {
    /// A number for each launch attempt, so that no two of them share a token.
    pub(super) fn attempt(&self) -> u64 {
        self.launches.fetch_add(1, Ordering::Relaxed)
    }
}
