//! The platform, which composes the features: each method calls one of them.

use std::sync::Arc;

use ami_bake_core::clock::Clock;
use ami_bake_core::ledger::Entry;
use ami_bake_core::limit::Limiter;
use ami_bake_core::plan::{CaptureMode, Deployment, Distribution, ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Grant, ImageQuery, ImageRecord, Launch, Listed, Machine, Orphan, Orphans, Permission,
    Platform, Registration, Superseded, SweepScope, Undo,
};
use ami_bake_core::rollout::Rollout;
use ami_bake_core::services::Services;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::capture::BakeMachine;
use crate::client::ledger::{IMAGE, PLATFORM, SNAPSHOT, SNAPSHOT_COPY};
use crate::client::{Clients, PerPlace, Settings};
use crate::deploy::Deployer;
use crate::image::Images;
use crate::lineage::Lineages;
use crate::machine::Machines;
use crate::publish::Publisher;
use crate::services::AwsServices;
use crate::{deploy, image, lineage, machine, permissions, publish, sweep};

/// Capabilities of the platform.
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
    clients: Arc<Clients>,
    /// The images of each region and account.
    places: Arc<PerPlace<Images>>,
    /// The images of the home region.
    images: Arc<Images>,
    lineages: Arc<Lineages>,
    machines: Arc<Machines>,
    publisher: Arc<Publisher>,
    deployer: Arc<Deployer>,
}

impl Aws {
    /// The platform with the current credentials. Makes no call to AWS yet.
    ///
    /// # Errors
    /// When no region is set, or a setting is invalid.
    pub async fn new(settings: Settings, clock: Arc<dyn Clock>, limiter: Arc<Limiter>) -> Result<Self> {
        let clients = Arc::new(Clients::new(settings, clock, limiter).await?);
        let places = Arc::new(PerPlace::new(Arc::clone(&clients), Images::new));
        let images = places.home();
        let lineages = Arc::new(Lineages::new(Arc::clone(&images)));
        let machines = Arc::new(Machines::new(Arc::clone(&images), Arc::clone(&lineages)));
        let publisher = Arc::new(Publisher::new(Arc::clone(&places)));
        let deployer = Arc::new(Deployer::new(Arc::clone(&places)));
        Ok(Self { clients, places, images, lineages, machines, publisher, deployer })
    }

    /// Number of requests sent so far, including retries and polls, by action.
    pub fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        self.clients.calls()
    }
}

impl Aws {
    /// The machines of a region. Bakes launch in the home region only, but a sweep finds machines of other bakes.
    fn machines_at(&self, region: &str, role: Option<&str>) -> Arc<Machines> {
        if role.is_none() && region == self.clients.home().region() {
            return Arc::clone(&self.machines);
        }
        let images = self.places.at(region, role);
        Arc::new(Machines::new(Arc::clone(&images), Arc::new(Lineages::new(images))))
    }

    /// Every region and account to sweep: the home region, and those of publishing and deploying.
    fn swept(&self, scope: &SweepScope) -> Vec<sweep::Place> {
        let home = self.clients.home().region();
        let mut wanted: Vec<(Option<&str>, &str)> = vec![(None, home)];
        for published in &scope.published {
            wanted.extend(published.regions.iter().map(|one| (None, one.region.as_str())));
            for target in &published.targets {
                wanted.extend(target.regions.iter().map(|one| (Some(target.role.as_str()), one.region.as_str())));
            }
        }
        let of = |one: &Deployment| (one.role.clone(), one.region.clone().unwrap_or_else(|| home.to_owned()));
        let deployed: Vec<(Option<String>, String)> = scope.deployed.iter().map(of).collect();
        wanted.extend(deployed.iter().map(|(role, region)| (role.as_deref(), region.as_str())));
        let mut places: Vec<sweep::Place> = Vec::new();
        for (role, region) in wanted {
            let role = role.map(str::to_owned);
            if places.iter().any(|place| place.role == role && place.client.region() == region) {
                continue;
            }
            places.push(sweep::Place {
                client: self.clients.at(region, role.as_deref()),
                global: places.iter().all(|place| place.role != role),
                deployed: scope
                    .deployed
                    .iter()
                    .filter(|one| of(one) == (role.clone(), region.to_owned()))
                    .cloned()
                    .collect(),
                role,
            });
        }
        places
    }
}

#[async_trait]
impl Platform for Aws {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn region(&self) -> Option<String> {
        Some(self.clients.home().region().to_owned())
    }

    async fn owner(&self, _: &Run) -> Result<Option<String>> {
        Ok(Some(format!("AWS account {}", self.clients.account().await?)))
    }

    fn services(&self) -> Option<Arc<dyn Services>> {
        Some(Arc::new(AwsServices::new(Arc::clone(&self.clients))))
    }

    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
        image::find_source(&self.images, run, query).await
    }

    async fn images(&self, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        image::list(self.clients.home(), run, query).await
    }

    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>> {
        let machine = Box::pin(machine::launch(&self.machines, run, launch)).await?;
        Ok(Box::new(BakeMachine::new(machine)))
    }

    async fn register(&self, run: &Run, candidate: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        // The login name becomes a tag of the image, for images built on it.
        let mut tags = registration.tags.clone();
        if let Some(user) = candidate.image.tags.get(machine::USER) {
            tags.entry(machine::USER.to_owned()).or_insert_with(|| user.clone());
        }
        image::register(&self.images, run, candidate, &Registration { tags, ..registration.clone() }).await
    }

    async fn preflight_machine(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        Box::pin(machine::preflight(&self.machines, run, plan)).await
    }

    async fn preflight_publish(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        Box::pin(publish::preflight(&self.publisher, run, plan)).await
    }

    async fn prepare(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
        Box::pin(publish::prepare(&self.publisher, run, plan, candidate)).await;
    }

    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord, force: bool) -> Result<()> {
        Box::pin(publish::publish(&self.publisher, run, plan, image, force)).await
    }

    async fn preflight_deploy(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        Box::pin(deploy::preflight(&self.clients, run, plan)).await
    }

    async fn deploy(
        &self,
        run: &Run,
        plan: &ImagePlan,
        image: &ImageRecord,
        deployment: &Deployment,
        force: bool,
        rollout: &mut Rollout,
    ) -> Result<()> {
        Box::pin(deploy::deploy(&self.deployer, run, plan, image, deployment, force, rollout)).await
    }

    async fn superseded(&self, run: &Run, plan: &ImagePlan, planned: bool) -> Result<Vec<Superseded>> {
        Box::pin(publish::superseded(&self.publisher, run, plan, planned)).await
    }

    async fn retire(&self, run: &Run, published: &[Distribution], image: &ImageRecord) -> Result<()> {
        publish::retire(&self.publisher, run, published, image).await
    }

    async fn release(&self, _run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        publish::release(&self.publisher, plan, image).await
    }

    async fn inventory(&self, run: &Run, query: &ImageQuery, published: &[Distribution]) -> Result<Vec<Listed>> {
        Box::pin(publish::inventory(&self.publisher, run, query, published)).await
    }

    async fn delete_image(&self, run: &Run, image: &str) -> Result<()> {
        image::delete(&self.images, run, image).await
    }

    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo> {
        let region = entry.region.as_deref().unwrap_or(self.clients.home().region());
        let role = entry.role.as_deref();
        match entry.kind.as_str() {
            SNAPSHOT | IMAGE => image::undo(&self.places.at(region, role), run, entry).await,
            deploy::VERSION | deploy::REFRESH | deploy::GROUP => {
                Box::pin(deploy::undo(&self.clients.at(region, role), run, entry)).await
            }
            SNAPSHOT_COPY => lineage::undo(&self.places.at(region, role), entry).await,
            _ => machine::undo(&self.machines_at(region, role), run, entry).await,
        }
    }

    async fn close(&self, run: &Run) -> Result<()> {
        self.lineages.close(run).await;
        machine::close(&self.machines, run).await;
        Ok(())
    }

    async fn expired(&self, run: &Run, scope: &SweepScope) -> Result<Orphans> {
        Box::pin(sweep::expired(run, &self.swept(scope))).await
    }

    async fn remove(&self, run: &Run, orphan: &Orphan) -> Result<Undo> {
        let region = orphan.region.as_deref().unwrap_or(self.clients.home().region());
        sweep::remove(&self.machines_at(region, orphan.role.as_deref()), run, orphan).await
    }

    async fn permissions(&self, run: &Run, plans: &[ImagePlan], grants: &[Grant]) -> Result<Vec<Permission>> {
        Box::pin(permissions::check(&self.places, run, plans, grants)).await
    }
}
