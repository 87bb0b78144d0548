//! The platform: each duty is a function of the module that knows it.

use std::sync::Arc;

use ami_bake_core::clock::Clock;
use ami_bake_core::ledger::Entry;
use ami_bake_core::limit::Limiter;
use ami_bake_core::plan::{CaptureMode, MachineSettings, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, ImageQuery, ImageRecord, Launch, Leftover, Machine, Permission, Platform, Registration,
    Undo,
};
use ami_bake_core::poll::Poller;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::client::{Client, Settings};
use crate::machine::{Instance, Shared};
use crate::{capture, image, machine, permissions, source, sweep};

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "aws";

/// What EC2 can do for a bake.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: PLATFORM,
    source: "ami",
    machine: &[
        "type",
        "spot",
        "subnet",
        "security-groups",
        "public-ip",
        "profile",
        "policy",
        "disk",
        "volumes",
        "user",
        "user-data",
        "connect",
        "ingress",
        "metadata",
        "tags",
        "lifetime",
    ],
    publish: &["name", "description", "tags", "imds", "if"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: true,
    deploy: false,
    replaces_versions: false,
};

/// Amazon EC2 in one home region.
#[derive(Clone)]
pub struct Aws {
    pub(crate) inner: Arc<Inner>,
}

/// What all machines and images of the platform share.
pub(crate) struct Inner {
    /// Calls in the home region.
    pub(crate) client: Arc<Client>,
    /// The state of every machine that somebody waits for, in one DescribeInstances.
    pub(crate) instances: Poller<Instance>,
    /// Described images by id, so that a launch and a capture need not ask again.
    pub(crate) sources: source::Cache,
    /// Key, groups and profiles that all bakes of a run use together.
    pub(crate) shared: Shared,
    /// What captures share: pollers over snapshots and images.
    pub(crate) captures: capture::Shared,
}

impl Aws {
    /// The platform with the credentials that are found now. Makes no call to AWS yet.
    ///
    /// # Errors
    /// When no region is set, or a setting can't be one.
    pub async fn new(settings: Settings, clock: Arc<dyn Clock>, limiter: Arc<Limiter>) -> Result<Self> {
        let client = Arc::new(Client::new(settings, Arc::clone(&clock), limiter).await?);
        Ok(Self {
            inner: Arc::new(Inner {
                instances: machine::poller(&client, Arc::clone(&clock)),
                sources: source::Cache::default(),
                shared: Shared::default(),
                captures: capture::Shared::new(&client, &clock),
                client,
            }),
        })
    }

    /// How many requests were sent so far, retries and polls included, by action.
    pub fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        self.inner.client.calls()
    }
}

#[async_trait]
impl Platform for Aws {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn region(&self) -> Option<String> {
        Some(self.inner.client.region().to_owned())
    }

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        source::find(&self.inner, run, query).await
    }

    async fn images(&self, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        image::list(&self.inner, run, query).await
    }

    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>> {
        Box::pin(machine::launch(&self.inner, run, launch)).await
    }

    async fn register(&self, run: &Run, candidate: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        // The login name goes along, for what is built on the image.
        let mut tags = registration.tags.clone();
        if let Some(user) = candidate.image.tags.get(machine::USER) {
            tags.entry(machine::USER.to_owned()).or_insert_with(|| user.clone());
        }
        image::register(&self.inner, run, candidate, &Registration { plan: registration.plan, tags }).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        image::delete(&self.inner, run, image).await
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        match entry.kind.as_str() {
            // The second half's kinds: what a capture makes.
            "snapshot" | "image" => image::undo(&self.inner, run, entry).await,
            _ => machine::undo(&self.inner, run, entry).await,
        }
    }

    async fn close(&self, run: &Run) -> Result<()> {
        machine::close(&self.inner, run).await
    }

    async fn expired(&self, run: &Run) -> Result<Vec<Leftover>> {
        sweep::expired(&self.inner, run).await
    }

    async fn remove(&self, run: &Run, leftover: &Leftover) -> Result<Undo> {
        sweep::remove(&self.inner, run, leftover).await
    }

    async fn permissions(&self, run: &Run, machines: &[MachineSettings]) -> Result<Vec<Permission>> {
        permissions::check(&self.inner, run, machines).await
    }
}
