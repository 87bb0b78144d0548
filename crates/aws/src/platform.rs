//! The platform: each duty is a function of the module that knows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::clock::Clock;
use ami_bake_core::ledger::{Entry, IMAGE};
use ami_bake_core::limit::Limiter;
use ami_bake_core::plan::{CaptureMode, Deployment, Distribution, ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Listed, Machine, Orphan, Permission, Platform,
    Registration, Superseded, Undo,
};
use ami_bake_core::poll::Poller;
use ami_bake_core::rollout::Rollout;
use ami_bake_core::services::Services;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::client::{Client, Settings};
use crate::machine::{Instance, Shared};
use crate::services::Cloud;
use crate::{capture, deploy, image, lineage, machine, permissions, publish, source, sweep};

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
        "lineage",
        "user",
        "user-data",
        "connect",
        "ingress",
        "metadata",
        "tags",
        "lifetime",
    ],
    publish: &[
        "name",
        "description",
        "tags",
        "imds",
        "if",
        "regions",
        "targets",
        "copy",
        "keep",
        "share",
        "parameters",
        "deprecate-after",
        "protect",
    ],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: true,
    deploy: true,
    replaces_versions: false,
    services: true,
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
    /// The account's own copies of sources.
    pub(crate) lineages: lineage::Shared,
    /// The other regions that something is published to, each with what its own calls share.
    elsewhere: Mutex<HashMap<String, Arc<Inner>>>,
    /// Other accounts, each by the role that is assumed there.
    accounts: Mutex<HashMap<String, Arc<Inner>>>,
    /// Snapshots that are being copied into other regions.
    pub(crate) copies: publish::Copies,
    /// What deployments wait for.
    pub(crate) deploys: deploy::Shared,
}

impl Inner {
    pub(crate) fn new(client: Client, clock: &Arc<dyn Clock>) -> Self {
        let client = Arc::new(client);
        Self {
            instances: machine::poller(&client, Arc::clone(clock)),
            sources: source::Cache::default(),
            shared: Shared::default(),
            captures: capture::Shared::new(&client, clock),
            lineages: lineage::Shared::default(),
            elsewhere: Mutex::default(),
            accounts: Mutex::default(),
            copies: publish::Copies::default(),
            deploys: deploy::Shared::new(&client, clock),
            client,
        }
    }

    /// The platform in this region: itself at home, another elsewhere.
    pub(crate) fn in_region(self: &Arc<Self>, region: &str) -> Arc<Self> {
        if region == self.client.region() {
            return Arc::clone(self);
        }
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let there = elsewhere
            .entry(region.to_owned())
            .or_insert_with(|| Arc::new(Self::new(self.client.in_region(region), self.client.clock())));
        Arc::clone(there)
    }

    /// The platform in this region of the account of a role; of the own account without one.
    pub(crate) fn at(self: &Arc<Self>, region: &str, role: Option<&str>) -> Arc<Self> {
        let Some(role) = role else { return self.in_region(region) };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Self::new(self.client.under(role), self.client.clock()));
        let account = Arc::clone(accounts.entry(role.to_owned()).or_insert_with(new));
        drop(accounts);
        account.in_region(region)
    }
}

impl Aws {
    /// The platform with the credentials that are found now. Makes no call to AWS yet.
    ///
    /// # Errors
    /// When no region is set, or a setting can't be one.
    pub async fn new(settings: Settings, clock: Arc<dyn Clock>, limiter: Arc<Limiter>) -> Result<Self> {
        let client = Client::new(settings, Arc::clone(&clock), limiter).await?;
        Ok(Self { inner: Arc::new(Inner::new(client, &clock)) })
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

    fn services(&self) -> Option<Arc<dyn Services>> {
        Some(Arc::new(Cloud::new(Arc::clone(&self.inner))))
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

    async fn judge_publishing(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        Box::pin(publish::judge(&self.inner, run, plan)).await
    }

    async fn prepare(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
        Box::pin(publish::prepare(&self.inner, run, plan, candidate)).await;
    }

    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        Box::pin(publish::publish(&self.inner, run, plan, image)).await
    }

    async fn judge_deploying(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        Box::pin(deploy::judge(&self.inner, run, plan)).await
    }

    async fn deploy(
        &self,
        run: &Run,
        plan: &ImagePlan,
        image: &ImageRecord,
        deployment: &Deployment,
        rollout: &mut Rollout,
    ) -> Result<()> {
        Box::pin(deploy::deploy(&self.inner, run, plan, image, deployment, rollout)).await
    }

    async fn superseded(&self, run: &Run, plan: &ImagePlan, planned: bool) -> Result<Vec<Superseded>> {
        Box::pin(publish::superseded(&self.inner, run, plan, planned)).await
    }

    async fn retire(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        publish::retire(&self.inner, run, plan, image).await
    }

    async fn inventory(&self, run: &Run, query: &ImageQuery, published: &[Distribution]) -> Result<Vec<Listed>> {
        Box::pin(publish::inventory(&self.inner, run, query, published)).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        image::delete(&self.inner, run, image).await
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        match entry.kind.as_str() {
            capture::SNAPSHOT | IMAGE => {
                let region = entry.region.as_deref().unwrap_or(self.inner.client.region());
                let there = self.inner.at(region, entry.role.as_deref());
                image::undo(&there, run, entry).await
            }
            deploy::VERSION | deploy::REFRESH | deploy::GROUP => {
                let region = entry.region.as_deref().unwrap_or(self.inner.client.region());
                let there = self.inner.at(region, entry.role.as_deref());
                Box::pin(deploy::undo(&there, run, entry)).await
            }
            lineage::COPY => lineage::undo(&self.inner, entry).await,
            _ => machine::undo(&self.inner, run, entry).await,
        }
    }

    async fn close(&self, run: &Run) -> Result<()> {
        lineage::close(&self.inner, run).await?;
        machine::close(&self.inner, run).await
    }

    async fn expired(&self, run: &Run) -> Result<Vec<Orphan>> {
        sweep::expired(&self.inner, run).await
    }

    async fn remove(&self, run: &Run, leftover: &Orphan) -> Result<Undo> {
        sweep::remove(&self.inner, run, leftover).await
    }

    async fn permissions(&self, run: &Run, plans: &[ImagePlan], grants: &[Grant]) -> Result<Vec<Permission>> {
        Box::pin(permissions::check(&self.inner, run, plans, grants)).await
    }
}
