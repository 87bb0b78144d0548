//! The sandbox as a machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::duration::human;
use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use jiff::SignedDuration;

use super::communicator::SandboxCommunicator;
use super::state::SandboxState;
use super::stop::{discard, quiesce, stop};
use super::{capture, changes};
use crate::sandbox::{COMMAND, Spec};
use crate::store::MachineInfo;

/// Time for processes to end by themselves when a machine stops.
const GRACE: Duration = Duration::from_secs(5);

/// How long a machine is kept with `--keep-on-failure`.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// A machine of this platform.
pub(crate) struct Sandbox {
    pub(crate) state: Arc<SandboxState>,
}

#[async_trait]
impl Machine for Sandbox {
    fn id(&self) -> &str {
        &self.state.id
    }

    fn kind(&self) -> &'static str {
        "sandbox"
    }

    fn place(&self) -> String {
        "this machine".to_owned()
    }

    async fn connect(&self, _run: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(Arc::new(SandboxCommunicator { sandbox: Arc::clone(&self.state) }))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn changes(&self, _run: &Run) -> Result<Option<Vec<PathBuf>>> {
        let upper = self.state.folder.upper();
        let walk = tokio::task::spawn_blocking(move || changes::below(&upper));
        walk.await.map_err(|error| Error::internal("could not list the changed files").because(error))
    }

    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        let restarted = async {
            if let Some(holder) = quiesce(&self.state, GRACE).await {
                holder.end_with_mounts().await?;
            }
            self.state.start().await
        };
        match run.until_cancelled(tokio::time::timeout(timeout, restarted)).await? {
            Ok(done) => done,
            Err(_) => Err(Error::build(format!(
                "could not restart sandbox {}: it was not running again after {}",
                self.state.id,
                human(timeout)
            ))
            .help("A process may be ignoring SIGTERM. Set a longer `timeout`.")),
        }
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        stop(&self.state, GRACE).await?;
        Ok(Box::new(capture::capture(run, &self.state, capture).await?))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        discard(&self.state).await?;
        run.ledger().close_id(MACHINE, &self.state.id, Closed::Deleted);
        Ok(())
    }

    async fn keep(&self, run: &Run, _: &Keep) -> Result<String> {
        // The sandbox can't outlive this process. Its files are kept, and a shell can be started in them.
        stop(&self.state, GRACE).await?;
        let until = run
            .clock()
            .now()
            .checked_add(KEPT)
            .map_err(|error| Error::internal("could not compute when the machine expires").because(error))?;
        MachineInfo { kept: Some(until), ..self.state.info.clone() }.write(self.state.folder.path())?;
        let init = vec!["/bin/sh".to_owned(), "-i".to_owned()];
        let path = self.state.write(&Spec { init, interactive: true, lifetime: None, ..self.state.spec.clone() })?;
        let sudo = if rustix::process::geteuid().is_root() { "sudo " } else { "" };
        Ok(format!("{sudo}ami-bake {} {}", COMMAND, path.display()))
    }
}
