//! State that a machine and its connections share.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ami_bake_core::plan::{Architecture, MachineSettings};
use ami_bake_core::{Error, Result};
use ami_bake_local::{Images, MachineFolder, MachineInfo};
use ami_bake_ssh::Ssh;

use super::access::Access;
use crate::data::MetadataServer;
use crate::qemu::{Forward, Qemu};

/// A virtual machine of a bake, running or not.
pub(crate) struct VmState {
    pub(crate) id: String,
    pub(super) images: Images,
    pub(super) folder: MachineFolder,
    pub(super) info: MachineInfo,
    pub(super) settings: MachineSettings,
    pub(super) access: Access,
    /// Login name.
    pub(super) user: String,
    pub(super) architecture: Architecture,
    /// True when an emulator runs the guest.
    pub(super) slow: bool,
    /// True with UEFI, whose variables belong to the image.
    pub(super) uefi: bool,
    /// Ports of this computer; the first leads to the SSH server.
    pub(super) forwards: Vec<Forward>,
    /// In words: processors, memory, accelerator.
    pub(super) kind: String,
    pub(super) running: Mutex<Running>,
}

/// State that changes while a machine runs.
#[derive(Default)]
pub(super) struct Running {
    pub(super) qemu: Option<Arc<Qemu>>,
    pub(super) ssh: Option<Arc<Ssh>>,
    pub(super) metadata: Option<MetadataServer>,
}

/// Time limit for a machine to become reachable. The slowest images take a minute or two.
const LIMIT: Duration = Duration::from_mins(5);
/// The same limit for an emulated processor.
const LIMIT_EMULATED: Duration = Duration::from_mins(20);

impl VmState {
    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The virtual machine.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn qemu(&self) -> Result<Arc<Qemu>> {
        self.running().qemu.clone().ok_or_else(|| Error::build(format!("{} is not running", self.name())))
    }

    /// The connection.
    ///
    /// # Errors
    /// When there has been none, which is a bug.
    pub(super) fn ssh(&self) -> Result<Arc<Ssh>> {
        let ssh = self.running().ssh.clone();
        ssh.ok_or_else(|| Error::internal(format!("no connection to {} was made", self.id)))
    }

    /// The machine in messages: "the machine vm-0abc".
    pub(super) fn name(&self) -> String {
        format!("the machine {}", self.id)
    }

    /// The machine's folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Time limit for the machine to become reachable.
    pub(super) fn limit(&self) -> Duration {
        self.settings.connect.timeout.unwrap_or(if self.slow { LIMIT_EMULATED } else { LIMIT })
    }

    /// The port of this computer that leads to the SSH server.
    pub(super) fn port(&self) -> u16 {
        self.forwards.first().map_or(0, |forward| forward.host)
    }
}
