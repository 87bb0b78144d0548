//! A launched machine.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ami_bake_core::console::announce;
use ami_bake_core::plan::{MachineSettings, Price};
use ami_bake_core::provision::Login;
use ami_bake_ssh::Ssh;
use aws_sdk_ec2::types::Image;
use uuid::Uuid;

use super::access::{Access, Dial};
use super::instance::Instance;
use super::machines::Machines;
use crate::client::Client;

/// Time after the seal at which a machine that EC2 can't stop halts by itself. The capture halts it at once as long as there
/// is a connection.
pub(crate) const SELF_HALT: Duration = Duration::from_mins(1);

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
    /// What the seal writes to the console last; the proof that the guest is down counts from there.
    pub(super) nonce: OnceLock<String>,
    /// State that changes while the machine runs.
    pub(super) state: Mutex<State>,
}

/// Script that halts the guest after this time, whatever becomes of the connection.
fn halt_after(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then \
           systemd-run --quiet --unit=ami-bake-halt --on-active={seconds}s systemctl halt; \
         else ( trap '' HUP; sleep {seconds}; shutdown -H now || halt ) & fi"
    )
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

    /// Everything that the bake added to the machine for its login, and what the seal does last for the capture: a lost
    /// connection costs nothing then.
    pub(crate) fn login(&self) -> Login {
        let nonce = self.nonce.get_or_init(|| format!("ami-bake-down-{}", Uuid::new_v4().simple()));
        let halt = if self.launched.spot && self.launched.nitro { halt_after(SELF_HALT) } else { String::new() };
        Login {
            authorized_keys: self.access.installed.iter().map(|key| key.public().line()).collect(),
            last: format!("{}\n{halt}", announce(nonce)),
            ..Login::default()
        }
    }

    /// What the seal wrote to the console.
    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.get().map(String::as_str)
    }

    /// The connection, if it is open. After the seal there is no other.
    pub(crate) async fn last_connection(&self) -> Option<Arc<Ssh>> {
        let ssh = self.communicator()?;
        ssh.seal();
        ssh.is_open().await.then_some(ssh)
    }
}
