//! The platform: each method calls the module that implements it.

use ami_bake_core::ledger::{Closed, Entry, IMAGE, MACHINE};
use ami_bake_core::plan::{ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Machine, Orphan, Orphans, Permission, Platform,
    Registration, SweepScope, Undo,
};
use ami_bake_core::{ErrorKind, Result, Run};
use async_trait::async_trait;

use crate::capabilities::CAPABILITIES;
use crate::engine::{Settings, connect, failed};
use crate::{image, machine, publish, source, sweep};

/// A Docker daemon as a platform.
pub struct Docker {
    client: bollard::Docker,
    settings: Settings,
}

impl Docker {
    /// Connects to the daemon of `settings`.
    ///
    /// # Errors
    /// When it does not answer; the error says why and what to do.
    pub async fn connect(settings: Settings) -> Result<Self> {
        let client = connect(&settings).await?;
        Ok(Self { client, settings })
    }
}

#[async_trait]
impl Platform for Docker {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn region(&self) -> Option<String> {
        None
    }

    async fn owner(&self, run: &Run) -> Result<Option<String>> {
        let info = run.until_cancelled(self.client.info()).await?;
        let info = info.map_err(|error| failed(ErrorKind::Build, "ask the Docker daemon what it is", &error))?;
        // The data folder instead of the daemon's ID: Podman returns another ID with each answer.
        let at = info.docker_root_dir.map(|root| format!(" with its data in {root}")).unwrap_or_default();
        Ok(info.name.map(|name| format!("the Docker daemon of {name}{at}")))
    }

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        run.until_cancelled(source::find(&self.client, &self.settings, run, query)).await?
    }

    async fn images(&self, _run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        let mut images = image::list(&self.client).await?;
        images.retain(|image| query.matches(image));
        Ok(images)
    }

    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>> {
        Ok(Box::new(machine::launch(run, &self.client, launch).await?))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        publish::register(&self.client, run, image, registration).await
    }

    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord, _: bool) -> Result<()> {
        publish::publish(&self.client, &self.settings, run, plan, image).await
    }

    async fn preflight_publish(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        publish::preflight(&self.settings, run, plan).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        image::delete(&self.client, image).await?;
        run.ledger().close_id(IMAGE, image, Closed::Deleted);
        Ok(())
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        match (entry.kind.as_str(), entry.id.as_deref()) {
            (MACHINE, Some(id)) => machine::remove(&self.client, run, id).await?,
            (MACHINE, None) => machine::remove_unconfirmed(&self.client, run, &entry.find_by).await?,
            (IMAGE, _) => return image::undo(&self.client, run, entry).await,
            (other, _) => return Ok(Undo::Later(format!("this version of ami-bake can't delete a Docker {other}"))),
        }
        Ok(Undo::Done)
    }

    async fn close(&self, _run: &Run) -> Result<()> {
        Ok(())
    }

    async fn expired(&self, run: &Run, _: &SweepScope) -> Result<Orphans> {
        Ok(Orphans { found: sweep::expired(&self.client, run).await?, incomplete: false })
    }

    async fn remove(&self, run: &Run, orphan: &Orphan) -> Result<Undo> {
        if orphan.kind == MACHINE {
            machine::remove(&self.client, run, &orphan.id).await?;
        } else {
            image::delete(&self.client, &orphan.id).await?;
        }
        Ok(Undo::Done)
    }

    async fn permissions(&self, _: &Run, _: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        // Every client that can connect to the daemon has all rights.
        let ping = self.client.ping().await;
        let detail = ping.as_ref().err().map(|error| crate::engine::message(error).0);
        Ok(vec![Permission { action: "use the Docker daemon".to_owned(), allowed: Some(ping.is_ok()), detail }])
    }
}
