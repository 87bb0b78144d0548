//! A launched machine.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ami_bake_core::plan::{MachineSettings, Price};
use ami_bake_ssh::{Key, Ssh};
use aws_sdk_ec2::types::Image;

use super::access::{Access, Dial};
use super::instance::Instance;
use super::machines::Machines;
use crate::client::Client;

/// A launched machine.
pub(crate) struct AwsMachine {
    /// The machines that it belongs to.
    pub(crate) machines: Arc<Machines>,
    /// Instance ID.
    pub(crate) id: String,
    /// The image that it booted from.
    pub(crate) source: Arc<Image>,
    /// The `machine` settings of the manifest.
    pub(crate) settings: MachineSettings,
    /// Time after which the machine terminates itself.
    pub(crate) lifetime: Duration,
    /// What RunInstances answered: type, zone, subnet, spot. Volumes and addresses may be missing in it.
    pub(crate) launched: Instance,
    /// The run's clock when it was launched.
    pub(super) born: Duration,
    /// The security group that the run made, where it made one.
    pub(super) group: Option<String>,
    /// How to connect to the machine.
    pub(super) access: Access,
    /// The price of the spot capacity per hour, once EC2 has returned it.
    pub(super) spot_price: Arc<OnceLock<Price>>,
    /// State that changes while the machine runs.
    pub(super) state: Mutex<State>,
}

/// State that changes while a machine runs.
#[derive(Default)]
pub(super) struct State {
    /// The newest description.
    pub(super) seen: Option<Instance>,
    /// The connection that is being made.
    pub(super) dial: Option<Dial>,
    /// The open connection.
    pub(super) ssh: Option<Arc<Ssh>>,
    /// True once its termination was asked for.
    pub(super) terminated: bool,
}

impl AwsMachine {
    /// The connection, once there was one.
    pub(crate) fn communicator(&self) -> Option<Arc<Ssh>> {
        self.with_state(|state| state.ssh.clone())
    }

    /// The newest description: with addresses and volumes once it was connected to.
    pub(crate) fn instance(&self) -> Instance {
        self.with_state(|state| state.seen.clone()).unwrap_or_else(|| self.launched.clone())
    }

    /// The login name, which what is built on its image needs too.
    pub(crate) fn user(&self) -> &str {
        &self.access.user
    }

    /// In words, for messages: "the machine i-0abc (t3.small, us-east-1a)".
    pub(crate) fn in_words(&self) -> String {
        format!("the machine {} ({}, {})", self.id, self.launched.kind, self.launched.zone)
    }

    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The client of its region.
    pub(crate) fn client(&self) -> &Arc<Client> {
        self.machines.client()
    }

    /// The price of an hour, once it is known.
    pub(crate) fn hourly(&self) -> Option<Price> {
        if self.launched.spot {
            return self.spot_price.get().copied();
        }
        self.settings.hourly.get(&self.launched.kind).copied()
    }

    /// The key that logs in on it.
    pub(crate) fn login(&self) -> &Key {
        &self.access.login
    }
}
