//! State that a machine and its connections share.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use ami_bake_core::{Error, Result, whole_file};

use super::holder::Holder;
use crate::sandbox::{Address, Helper, Spec};
use crate::source::Stack;
use crate::store::{MachineFolder, MachineInfo, Store, store_error};

/// A sandbox that is a machine of a bake, running or not.
pub(crate) struct SandboxState {
    pub(crate) id: String,
    pub(super) store: Store,
    pub(super) helper: Helper,
    pub(super) stack: Stack,
    pub(super) info: MachineInfo,
    /// The description, without the boot id.
    pub(super) spec: Spec,
    pub(super) folder: MachineFolder,
    /// The number of the next task.
    pub(super) tasks: AtomicU64,
    holder: Mutex<Option<Holder>>,
}

impl SandboxState {
    pub(super) fn new(
        store: Store,
        helper: Helper,
        stack: Stack,
        info: MachineInfo,
        spec: Spec,
        folder: MachineFolder,
    ) -> Self {
        let id = folder.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { id, store, helper, stack, info, spec, folder, tasks: 0.into(), holder: Mutex::default() }
    }

    /// The init process of the running sandbox; `None` while it isn't running.
    pub(super) fn address(&self) -> Option<Address> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Holder::address)
    }

    /// Takes the holder of the running sandbox, in order to end it.
    pub(super) fn take_holder(&self) -> Option<Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts the sandbox with a new boot id.
    pub(super) async fn start(&self) -> Result<()> {
        let boot_id = uuid::Uuid::new_v4().to_string();
        let spec = Spec { boot_id: Some(boot_id), lifeline: true, announce: true, ..self.spec.clone() };
        let path = self.write(&spec)?;
        let holder = Holder::start(&self.helper, &path).await?;
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = Some(holder);
        Ok(())
    }

    /// Writes a description to the machine's folder.
    pub(super) fn write(&self, spec: &Spec) -> Result<PathBuf> {
        let path = self.folder.path().join("spec.json");
        let text = serde_json::to_vec_pretty(spec)
            .map_err(|error| Error::internal("could not write a sandbox description").because(error))?;
        whole_file::replace(&path, |to| to.write_all(&text)).map_err(|error| store_error("write", &path, error))?;
        Ok(path)
    }
}
