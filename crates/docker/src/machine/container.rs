//! The machine itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::ledger::{Closed, IMAGE, MACHINE};
use ami_bake_core::output::sanitize;
use ami_bake_core::platform::{Candidate, Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ImageConfig;
use bollard::query_parameters::{LogsOptions, RemoveContainerOptions, StartContainerOptions};
use futures::StreamExt;

use super::changes::changes;
use super::communicator::Inside;
use super::exec::quietly;
use super::stop::stop;
use crate::engine::{Said, failed, is_conflict, is_missing};
use crate::image::{Commit, commit, source_image};
use crate::platform::PLATFORM;
use crate::reference::of_name;

/// A machine of this platform.
pub(crate) struct Container {
    pub(crate) shared: Arc<Shared>,
}

/// What the machine and its connections share.
pub(crate) struct Shared {
    pub(crate) docker: Docker,
    /// Its name, by which the engine and the ledger know it.
    pub(crate) name: String,
    /// The configuration of the image that it was started from.
    pub(crate) config: ImageConfig,
}

/// Removes a container with its volumes, running or not. Not being there is success.
pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<()> {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    match docker.remove_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        // Gone, or going: "removal of container … is already in progress".
        Err(error) if is_missing(&error) || is_conflict(&error) => Ok(()),
        Err(error) => Err(failed(ErrorKind::Build, format!("remove container {name}"), &error)),
    }
}

/// The last line that a container's first process wrote.
async fn last_words(docker: &Docker, name: &str) -> Option<String> {
    let options = LogsOptions { stdout: true, stderr: true, tail: "1".to_owned(), ..LogsOptions::default() };
    let line = docker.logs(name, Some(options)).next().await?.ok()?.to_string();
    let line = sanitize(line.trim());
    (!line.is_empty()).then_some(line)
}

#[async_trait]
impl Machine for Container {
    fn id(&self) -> &str {
        &self.shared.name
    }

    fn kind(&self) -> &'static str {
        "container"
    }

    fn place(&self) -> String {
        "the Docker engine".to_owned()
    }

    async fn connect(&self, _run: &Run) -> Result<Arc<dyn Communicator>> {
        let Shared { docker, name, .. } = self.shared.as_ref();
        if quietly(docker, name, &[":"]).await == Some(0) {
            return Ok(Arc::new(Inside { shared: Arc::clone(&self.shared) }));
        }
        let failure = Error::build(format!("run a shell in container {name}"));
        let words = last_words(docker, name).await;
        Err(failure.because(Said(words.unwrap_or_else(|| "it ended without a word".to_owned()))).help(
            "Steps run in the image's own /bin/sh. Start from an image whose shell works on this engine, such as debian or \
             alpine.",
        ))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn changes(&self, _run: &Run) -> Result<Option<Vec<PathBuf>>> {
        Ok(changes(&self.shared).await)
    }

    /// A container has no boot id of its own: the kernel is the engine's. What stands for it is the start of its first
    /// process, which is another after every restart.
    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        let Shared { docker, name, .. } = self.shared.as_ref();
        let again = async {
            stop(&self.shared).await?;
            docker
                .start_container(name, None::<StartContainerOptions>)
                .await
                .map_err(|error| failed(ErrorKind::Build, format!("restart container {name}"), &error))
        };
        match run.until_cancelled(tokio::time::timeout(timeout, again)).await? {
            Ok(done) => done,
            Err(_) => Err(Error::build(format!(
                "container {name} was not back {} s after its restart began",
                timeout.as_secs()
            ))
            .help("Something in it may not end when it is asked to; a longer `timeout` may do.")),
        }
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        stop(&self.shared).await?;
        let reference = of_name(&capture.name);
        let ticket = run.intend(PLATFORM, IMAGE, None, &reference.to_string())?;
        let wanted = Commit {
            container: &self.shared.name,
            config: self.shared.config.clone(),
            plan: capture.plan,
            tags: &capture.tags,
            reference: &reference,
        };
        let made = commit(&self.shared.docker, wanted).await?;
        let parts = made.root_fs.clone().and_then(|root| root.layers).unwrap_or_default();
        let image = source_image(made, &reference.to_string())
            .ok_or_else(|| Error::internal("the engine committed an image without an id"))?;
        run.ledger().confirm(ticket, &image.id)?;
        // Its content is fixed, and nothing needs the machine any more.
        self.destroy(run).await?;
        Ok(Box::new(Captured(Candidate { image, parts })))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        remove(&self.shared.docker, &self.shared.name).await?;
        run.ledger().close_id(MACHINE, &self.shared.name, Closed::Deleted)
    }

    async fn keep(&self, _run: &Run, _: &Keep) -> Result<String> {
        Ok(format!("docker exec -it {} /bin/sh", self.shared.name))
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
