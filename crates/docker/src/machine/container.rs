//! The container as a machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::duration::human;
use ami_bake_core::ledger::{Closed, IMAGE, MACHINE};
use ami_bake_core::output::sanitize;
use ami_bake_core::platform::{Candidate, Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::{LogsOptions, StartContainerOptions};
use futures::StreamExt;

use super::changes::changes;
use super::communicator::ContainerCommunicator;
use super::exec::run_script;
use super::remove::remove;
use super::state::ContainerState;
use super::stop::stop;
use crate::capabilities::PLATFORM;
use crate::engine::{EngineMessage, failed};
use crate::image::{Commit, commit, source_image};
use crate::reference::of_name;

/// A machine of this platform.
pub(crate) struct Container {
    pub(super) state: Arc<ContainerState>,
}

/// The last line in the log of a container's first process.
async fn last_log_line(docker: &Docker, name: &str) -> Option<String> {
    let options = LogsOptions { stdout: true, stderr: true, tail: "1".to_owned(), ..LogsOptions::default() };
    let line = docker.logs(name, Some(options)).next().await?.ok()?.to_string();
    let line = sanitize(line.trim());
    (!line.is_empty()).then_some(line)
}

#[async_trait]
impl Machine for Container {
    fn id(&self) -> &str {
        &self.state.name
    }

    fn kind(&self) -> &'static str {
        "container"
    }

    fn place(&self) -> String {
        "the Docker daemon".to_owned()
    }

    async fn connect(&self, _run: &Run) -> Result<Arc<dyn Communicator>> {
        let ContainerState { docker, name, .. } = self.state.as_ref();
        if run_script(docker, name, &[":"]).await == Some(0) {
            return Ok(Arc::new(ContainerCommunicator { container: Arc::clone(&self.state) }));
        }
        let failure = Error::build(format!("could not run a shell in container {name}"));
        let line = last_log_line(docker, name).await;
        Err(failure.because(EngineMessage(line.unwrap_or_else(|| "it ended without output".to_owned()))).help(
            "Steps run in the image's own /bin/sh. Use a source image whose shell works on this machine, such as debian or \
             alpine.",
        ))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn changes(&self, _run: &Run) -> Result<Option<Vec<PathBuf>>> {
        Ok(changes(&self.state).await)
    }

    /// A container has no boot id of its own, since its kernel is the host's. The start time of its first process is used
    /// instead: it changes with every restart.
    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        let ContainerState { docker, name, .. } = self.state.as_ref();
        let restarted = async {
            stop(&self.state).await?;
            docker
                .start_container(name, None::<StartContainerOptions>)
                .await
                .map_err(|error| failed(ErrorKind::Build, format!("restart container {name}"), &error))
        };
        match run.until_cancelled(tokio::time::timeout(timeout, restarted)).await? {
            Ok(done) => done,
            Err(_) => Err(Error::build(format!(
                "could not restart container {name}: it was not running again after {}",
                human(timeout)
            ))
            .help("A process may be ignoring SIGTERM. Set a longer `timeout`.")),
        }
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        stop(&self.state).await?;
        let reference = of_name(&capture.name);
        let ticket = run.intend(PLATFORM, IMAGE, None, &reference.to_string())?;
        let options = Commit {
            container: &self.state.name,
            config: self.state.config.clone(),
            plan: capture.plan,
            tags: &capture.tags,
            reference: &reference,
        };
        let committed = commit(&self.state.docker, options).await?;
        let parts = committed.root_fs.clone().and_then(|root| root.layers).unwrap_or_default();
        let image = source_image(committed, &reference.to_string())
            .ok_or_else(|| Error::internal("the Docker daemon committed an image without an ID"))?;
        run.ledger().confirm(ticket, &image.id);
        // The content of the image is fixed: the machine is not needed any more.
        self.destroy(run).await?;
        Ok(Box::new(Captured(Candidate { image, parts })))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        remove(&self.state.docker, run, &self.state.name).await?;
        run.ledger().close_id(MACHINE, &self.state.name, Closed::Deleted);
        Ok(())
    }

    async fn keep(&self, _run: &Run, _: &Keep) -> Result<String> {
        Ok(format!("docker exec -it {} /bin/sh", self.state.name))
    }
}

/// An image that can be launched as soon as it is captured.
struct Captured(Candidate);

#[async_trait]
impl PendingImage for Captured {
    async fn available(self: Box<Self>, _run: &Run) -> Result<Candidate> {
        Ok(self.0)
    }
}
