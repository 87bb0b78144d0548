//! The machine itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use jiff::SignedDuration;

use super::{Helper, Holder, Inside, capture, changes};
use crate::sandbox::{Action, Address, Spec};
use crate::source::Stack;
use crate::store::{About, MachineFolder, Store, exists_error};

/// How long processes may take to end by themselves when a machine stops, as long as systemd gives a login session.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a machine is kept for a person.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// A machine of this platform.
pub(crate) struct Sandbox {
    pub(crate) shared: Arc<Shared>,
}

/// What the machine and its connections share.
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) store: Store,
    pub(crate) helper: Helper,
    pub(crate) stack: Stack,
    pub(crate) about: About,
    /// The description, but for the boot id.
    pub(crate) spec: Spec,
    /// The folder, until it is given away.
    pub(crate) folder: MachineFolder,
    /// Numbers tasks.
    pub(crate) tasks: std::sync::atomic::AtomicU64,
    state: Mutex<Option<Holder>>,
}

impl Shared {
    pub(crate) fn new(
        store: Store,
        helper: Helper,
        stack: Stack,
        about: About,
        spec: Spec,
        folder: MachineFolder,
    ) -> Self {
        let id = folder.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { id, store, helper, stack, about, spec, folder, tasks: 0.into(), state: Mutex::default() }
    }

    /// Where to enter; `None` while it doesn't run.
    pub(crate) fn address(&self) -> Option<Address> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Holder::address)
    }

    fn take(&self) -> Option<Holder> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts it with a boot id of its own.
    pub(crate) async fn start(&self) -> Result<()> {
        let boot_id = uuid::Uuid::new_v4().to_string();
        let spec = Spec { boot_id: Some(boot_id), lifeline: true, announce: true, ..self.spec.clone() };
        let path = self.write(&spec)?;
        let holder = Holder::start(&self.helper, &path).await?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(holder);
        Ok(())
    }

    fn write(&self, spec: &Spec) -> Result<std::path::PathBuf> {
        let path = self.folder.path().join("spec.json");
        let text =
            serde_json::to_vec_pretty(spec).map_err(|error| Error::internal("describe a sandbox").because(error))?;
        std::fs::write(&path, text).map_err(|error| exists_error("write", &path, error))?;
        Ok(path)
    }

    /// Ends its processes: by themselves, where `patience` is given, and what stays by force.
    pub(crate) async fn stop(self: &Arc<Self>, patience: Duration) -> Result<()> {
        match self.quiesce(patience).await {
            Some(holder) => holder.end().await,
            None => Ok(()),
        }
    }

    /// Asks its processes to end, where `patience` is given, and hands the sandbox over to be ended.
    async fn quiesce(self: &Arc<Self>, patience: Duration) -> Option<Holder> {
        if !patience.is_zero() {
            let limit = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
            let inside = Inside { shared: Arc::clone(self) };
            // Whoever can't be asked is ended all the same.
            let _ = tokio::time::timeout(patience * 2, inside.act(Action::Stop { patience: limit })).await;
        }
        self.take()
    }

    /// Ends the machine and takes its folder away. May be called twice.
    pub(crate) async fn discard(self: &Arc<Self>) -> Result<()> {
        self.stop(Duration::ZERO).await?;
        self.helper.empty(self.store.discard_machine(&self.id)?);
        Ok(())
    }
}

#[async_trait]
impl Machine for Sandbox {
    fn id(&self) -> &str {
        &self.shared.id
    }

    fn kind(&self) -> &'static str {
        "sandbox"
    }

    fn place(&self) -> String {
        "this machine".to_owned()
    }

    async fn connect(&self, _run: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(Arc::new(Inside { shared: Arc::clone(&self.shared) }))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn changes(&self, _run: &Run) -> Result<Option<Vec<PathBuf>>> {
        let upper = self.shared.folder.upper();
        let walk = tokio::task::spawn_blocking(move || changes::below(&upper));
        walk.await.map_err(|error| Error::internal("list what was changed").because(error))
    }

    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        let again = async {
            if let Some(holder) = self.shared.quiesce(PATIENCE).await {
                holder.end_with_mounts().await?;
            }
            self.shared.start().await
        };
        match run.until_cancelled(tokio::time::timeout(timeout, again)).await? {
            Ok(done) => done,
            Err(_) => Err(Error::build(format!(
                "sandbox {} was not back {} s after its restart began",
                self.shared.id,
                timeout.as_secs()
            ))
            .help("Something in it may not end when it is asked to; a longer `timeout` may do.")),
        }
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        self.shared.stop(PATIENCE).await?;
        Ok(Box::new(capture::capture(run, &self.shared, capture).await?))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        self.shared.discard().await?;
        run.ledger().close_id(MACHINE, &self.shared.id, Closed::Deleted)
    }

    async fn keep(&self, run: &Run, _: &Keep) -> Result<String> {
        // Its processes end with this one; its files stay, and a shell can be started over them.
        self.shared.stop(PATIENCE).await?;
        let until =
            run.clock().now().checked_add(KEPT).map_err(|error| Error::internal("count the time").because(error))?;
        About { kept: Some(until), ..self.shared.about.clone() }.write(self.shared.folder.path())?;
        let init = vec!["/bin/sh".to_owned(), "-i".to_owned()];
        let path = self.shared.write(&Spec { init, interactive: true, lifetime: None, ..self.shared.spec.clone() })?;
        let sudo = if rustix::process::geteuid().is_root() { "sudo " } else { "" };
        Ok(format!("{sudo}ami-bake {} {}", crate::sandbox::VERB, path.display()))
    }
}
