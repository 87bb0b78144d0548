//! The platform: each duty is a function of the module that knows it.

use ami_bake_core::ledger::{Closed, Entry, IMAGE, MACHINE};
use ami_bake_core::plan::{CaptureMode, ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Machine, Orphan, Permission, Platform,
    Registration, Undo,
};
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::engine::{Settings, connect};
use crate::{image, machine, publish, source, sweep};

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "docker";

/// What an engine can do for a bake. Every capture mode means the same: the machine's processes end first.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: PLATFORM,
    source: PLATFORM,
    machine: &["network", "lifetime", "tags"],
    publish: &["name", "description", "tags", "docker", "keep", "if"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: false,
    deploy: false,
    replaces_versions: true,
    services: false,
};

/// A Docker engine as a platform.
pub struct Docker {
    client: bollard::Docker,
    settings: Settings,
}

impl Docker {
    /// The engine that `settings` name.
    ///
    /// # Errors
    /// When none answers; says why and what to do.
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

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        run.until_cancelled(source::find(&self.client, &self.settings, run, query)).await?
    }

    async fn images(&self, _run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        let mut images = image::list(&self.client).await?;
        images.retain(|image| {
            query.namespace.as_ref().is_none_or(|namespace| *namespace == image.namespace)
                && query.key.as_ref().is_none_or(|key| *key == image.key)
        });
        Ok(images)
    }

    async fn launch(&self, run: &Run, wanted: &Launch<'_>) -> Result<Box<dyn Machine>> {
        Ok(Box::new(machine::launch(run, &self.client, wanted).await?))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        image::register(&self.client, run, image, registration).await
    }

    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        publish::publish(&self.client, &self.settings, run, plan, image).await
    }

    async fn judge_publishing(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        publish::judge(&self.settings, run, plan).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        image::delete(&self.client, image).await?;
        run.ledger().close_id(IMAGE, image, Closed::Deleted)
    }

    async fn undo(&self, _run: &Run, entry: &Entry) -> Result<Undo> {
        match (entry.kind.as_str(), entry.id.as_deref()) {
            (MACHINE, id) => machine::remove(&self.client, id.unwrap_or(&entry.find_by)).await?,
            (IMAGE, Some(id)) => image::delete(&self.client, id).await?,
            (IMAGE, None) => image::delete_reference(&self.client, &entry.find_by, &entry.run).await?,
            (other, _) => return Ok(Undo::Later(format!("this ami-bake doesn't know what a {other} of Docker is"))),
        }
        Ok(Undo::Done)
    }

    async fn close(&self, _run: &Run) -> Result<()> {
        Ok(())
    }

    async fn expired(&self, run: &Run) -> Result<Vec<Orphan>> {
        sweep::expired(&self.client, run).await
    }

    async fn remove(&self, _run: &Run, leftover: &Orphan) -> Result<Undo> {
        if leftover.kind == MACHINE {
            machine::remove(&self.client, &leftover.id).await?;
        } else {
            image::delete(&self.client, &leftover.id).await?;
        }
        Ok(Undo::Done)
    }

    async fn permissions(&self, _: &Run, _: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        // Whoever reaches an engine may do everything there.
        let answer = self.client.ping().await;
        let detail = answer.as_ref().err().map(|error| crate::engine::said(error).0);
        Ok(vec![Permission { action: "use the Docker engine".to_owned(), allowed: Some(answer.is_ok()), detail }])
    }
}
