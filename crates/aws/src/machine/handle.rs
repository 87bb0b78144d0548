//! A launched machine.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ami_bake_core::plan::{MachineSettings, Price};
use ami_bake_ssh::Ssh;
use aws_sdk_ec2::types::Image;

use super::access::{Access, Dial};
use super::instance::Instance;
use super::machines::Machines;
use crate::client::Client;

/// A launched machine.
pub(crate) struct AwsMachine {
    /// State of all machines of its region.
    pub(crate) machines: Arc<Machines>,
    /// Instance ID.
    pub(crate) id: String,
    /// Image that the machine booted from.
    pub(crate) source: Arc<Image>,
    /// The `machine` settings of the manifest.
    pub(crate) settings: MachineSettings,
    /// Time after which the machine terminates itself.
    pub(crate) lifetime: Duration,
    /// The answer of RunInstances: type, zone, subnet, spot. Volumes and addresses may be missing.
    pub(crate) launched: Instance,
    /// Time of the launch on the run's clock.
    pub(super) born: Duration,
    /// ID of the security group, if the run created one.
    pub(super) group: Option<String>,
    /// How to connect to the machine.
    pub(super) access: Access,
    /// Price of the spot capacity per hour, once EC2 has returned it.
    pub(super) spot_price: Arc<OnceLock<Price>>,
    /// State that changes while the machine runs.
    pub(super) state: Mutex<State>,
}

/// State that changes while a machine runs.
#[derive(Default)]
pub(super) struct State {
    /// The newest description of the instance.
    pub(super) seen: Option<Instance>,
    /// The connection attempt in progress.
    pub(super) dial: Option<Dial>,
    /// The open connection.
    pub(super) ssh: Option<Arc<Ssh>>,
    /// True once its termination was requested.
    pub(super) terminated: bool,
}

impl AwsMachine {
    /// The connection, if there has been one.
    pub(crate) fn communicator(&self) -> Option<Arc<Ssh>> {
        self.with_state(|state| state.ssh.clone())
    }

    /// The newest description; with addresses and volumes once the machine was connected to.
    pub(crate) fn instance(&self) -> Instance {
        self.with_state(|state| state.seen.clone()).unwrap_or_else(|| self.launched.clone())
    }

    /// The login name, which images built on this one need too.
    pub(crate) fn user(&self) -> String {
        self.communicator().map_or_else(|| self.access.user.clone(), |ssh| ssh.user())
    }

    /// The machine for messages: "the machine i-0abc (t3.small, us-east-1a)".
    pub(crate) fn in_words(&self) -> String {
        format!("the machine {} ({}, {})", self.id, self.launched.kind, self.launched.zone)
    }

    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The client of the machine's region.
    pub(crate) fn client(&self) -> &Arc<Client> {
        self.machines.client()
    }

    /// The price per hour, if known.
    pub(crate) fn hourly(&self) -> Option<Price> {
        if self.launched.spot {
            return self.spot_price.get().copied();
        }
        self.settings.hourly.get(&self.launched.kind).copied()
    }

    /// The login keys that the bake installed on it, in OpenSSH format.
    pub(crate) fn installed_keys(&self) -> Vec<String> {
        self.access.installed.iter().map(|key| key.public().line()).collect()
    }
}
