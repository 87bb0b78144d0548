//! The platform interface. A platform is one crate that implements these traits.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ledger::{Entry, IMAGE};
use crate::plan::{CaptureMode, Deployment, Distribution, ImageKey, ImagePlan, SourceImage, SourceQuery};
use crate::rollout::Rollout;
use crate::run::Run;
use crate::services::Services;
use crate::tags;

pub use crate::image::{ImageRecord, Listed, Superseded, Usage};
pub use crate::machine::{Candidate, Capture, Keep, Launch, Machine, PendingImage};

/// Capabilities of a platform, so that `check` refuses everything else with a line number. Field names are the
/// manifest's.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// Name of the platform.
    pub platform: &'static str,
    /// The key below `source` that the platform reads.
    pub source: &'static str,
    /// Supported fields of `machine`.
    pub machine: &'static [&'static str],
    /// Supported fields of `publish`.
    pub publish: &'static [&'static str],
    /// Supported capture modes.
    pub captures: &'static [CaptureMode],
    /// True when machines run an init system, so that `expect: {service: …}` is supported.
    pub init: bool,
    /// True when baking a fixed version again replaces the image, once the new one is tested.
    pub replaces_versions: bool,
    /// True when the platform has [`Services`]: objects and parameters that steps can read.
    pub services: bool,
    /// True when the platform supports deployments: moving templates and groups to an image.
    pub deploy: bool,
}

/// Filter for a list of images that ami-bake created.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// The namespace. Default: all.
    pub namespace: Option<String>,
    /// Image and variant. Default: all.
    pub key: Option<ImageKey>,
    /// The owner. Default: this account.
    pub owner: Option<String>,
}

impl ImageQuery {
    /// Whether an image has the namespace and key of the query.
    pub fn matches(&self, image: &ImageRecord) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == image.namespace)
            && self.key.as_ref().is_none_or(|key| *key == image.key)
    }
}

/// The final name and tags of an image.
#[derive(Debug, Clone)]
pub struct Registration<'a> {
    /// The plan of the image.
    pub plan: &'a ImagePlan,
    /// All tags for the image and its parts, without an expiry.
    pub tags: BTreeMap<String, String>,
    /// True when an image of this name and digest that passed its tests (for example registered by another run
    /// meanwhile) is used instead of the candidate.
    pub adopt: bool,
}

/// Regions and accounts to sweep besides the home region.
#[derive(Debug, Clone, Default)]
pub struct SweepScope {
    /// Destinations of publishing.
    pub published: Vec<Distribution>,
    /// Targets of deployments.
    pub deployed: Vec<Deployment>,
}

/// A platform that images are baked on: AWS, this machine, Docker.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Capabilities of the platform.
    fn capabilities(&self) -> Capabilities;

    /// The home region, if the platform has regions.
    fn region(&self) -> Option<String>;

    /// The owner of the resources that the platform sees, for messages: an account, a daemon. Resources of other owners
    /// can't be found here. `None` if owners are not distinguished.
    ///
    /// # Errors
    /// When the owner can't be determined.
    async fn owner(&self, run: &Run) -> Result<Option<String>> {
        let _ = run;
        Ok(None)
    }

    /// The cloud's objects and parameters, for steps; `None` if [`Capabilities::services`] is false.
    fn services(&self) -> Option<Arc<dyn Services>> {
        None
    }

    /// Finds the source image, including `Baked` queries that are not siblings.
    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage>;

    /// Images that ami-bake created, in the home region, including candidates.
    async fn images(&self, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>>;

    /// Launches a machine. Every resource is recorded in the ledger before the request that creates it.
    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>>;

    /// Registers a tested candidate, or an existing image, under its final name, and deletes the candidate's own
    /// registration. On return every look-up finds the image. A candidate that can't be deleted is not a failure: it
    /// stays in the ledger.
    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord>;

    /// Publishes a registered image beyond its home region or daemon, as its plan says. Called again whenever the image
    /// is reused, so it must be idempotent. Does nothing by default. With `force` (`--force`) a parameter may change to
    /// an older version.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Publish`], with what was done before the failure; the image stays registered.
    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord, force: bool) -> Result<()> {
        let _ = (run, plan, image, force);
        Ok(())
    }

    /// Checks that the plan's machine can boot from its source and be connected to, before it is launched; by default
    /// nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight_machine(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Checks that the account allows what the plan publishes, before a machine is launched; by default nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight_publish(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Checks that the plan's deployments can succeed, before a machine is launched; does nothing by default.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight_deploy(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Moves launch templates and groups to the image, and back on failure. Can be called again after a run that was
    /// cut off. Progress and outcome are written to `rollout` as they happen. With `force` (`--force`) changes that
    /// somebody else made meanwhile are overwritten.
    ///
    /// # Errors
    /// Why it failed; the rollout's outcome has the resulting state.
    async fn deploy(
        &self,
        run: &Run,
        plan: &ImagePlan,
        image: &ImageRecord,
        deployment: &Deployment,
        force: bool,
        rollout: &mut Rollout,
    ) -> Result<()> {
        let _ = (run, plan, image, force, rollout);
        Err(Error::manifest("this platform does not support deployments").at(deployment.route.clone()))
    }

    /// Starts slow parts of publishing while the candidate is being tested: copies that no look-up can find. They are
    /// in the ledger, so that a failed test deletes them. Copies that can't start are reported by
    /// [`Platform::publish`].
    async fn prepare(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
        let _ = (run, plan, candidate);
    }

    /// Versions that the plan's retention does not keep, everywhere where the plan publishes, with what protects each.
    /// `planned`: the new version does not exist yet, but counts as registered.
    async fn superseded(&self, run: &Run, plan: &ImagePlan, planned: bool) -> Result<Vec<Superseded>> {
        // Images of all names: one that another image was built on stays.
        let mut all = self.images(run, &ImageQuery::default()).await?;
        if planned {
            all.push(ImageRecord::planned(plan, run.clock().now()));
        }
        let ours = |image: &&ImageRecord| {
            image.namespace == plan.namespace && image.key == plan.key && image.version == plan.version
        };
        let Some(new) = all.iter().filter(ours).find(|image| image.tested.is_some()) else { return Ok(Vec::new()) };
        let environment = plan.settings.distribution.environment.as_deref();
        let going = plan.settings.retention.superfluous(new, &all, environment, run.clock().now()).into_iter();
        Ok(going.map(|image| Superseded { image: image.clone(), held: None }).collect())
    }

    /// Deletes an image in the region and account that has it: one that [`Platform::superseded`] found and nothing
    /// holds, or one of [`Platform::inventory`]. `published` names the roles of other accounts.
    async fn retire(&self, run: &Run, published: &[Distribution], image: &ImageRecord) -> Result<()> {
        let _ = published;
        self.delete_image(run, &image.id).await
    }

    /// Removes the tag of the plan's environment from an image that [`Platform::superseded`] returned and that other
    /// environments publish too: the last of them deletes it.
    async fn release(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        let _ = (run, plan, image);
        Ok(())
    }

    /// Images that ami-bake created, wherever one of these distributions publishes them, with the users of each.
    async fn inventory(&self, run: &Run, query: &ImageQuery, published: &[Distribution]) -> Result<Vec<Listed>> {
        let _ = published;
        Ok(self.images(run, query).await?.into_iter().map(|image| Listed { image, usage: None }).collect())
    }

    /// Deletes an image and the parts that no other image uses. A missing image is success.
    async fn delete_image(&self, run: &Run, image: &str) -> Result<()>;

    /// Undoes one open ledger entry: requests the deletion without waiting for it.
    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo>;

    /// Deletes the resources that this run created for itself (key, group, profile), at the end of the run.
    async fn close(&self, run: &Run) -> Result<()>;

    /// Resources of any run that have expired according to their tags, in the home region and in `scope`. Resources of
    /// runs that are still active are left out.
    ///
    /// # Errors
    /// When no region can be searched. If only some can't be searched, there is a warning for each.
    async fn expired(&self, run: &Run, scope: &SweepScope) -> Result<Orphans>;

    /// Deletes one orphan.
    async fn remove(&self, run: &Run, leftover: &Orphan) -> Result<Undo>;

    /// Checks permissions by dry run: one result for each action that a bake of these plans needs, and for each grant
    /// of their documents.
    async fn permissions(&self, run: &Run, plans: &[ImagePlan], grants: &[Grant]) -> Result<Vec<Permission>>;
}

/// Result of an undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// The resource is gone, or will be without further requests.
    Done,
    /// The resource stays, for this reason: it turned out to be part of something published, and is tagged accordingly.
    Kept(String),
    /// The resource can't be deleted before another one of kind `by` that uses it.
    Held {
        /// Ledger kind of the resource that blocks the deletion.
        by: &'static str,
        /// Why the deletion is blocked.
        why: String,
    },
    /// The resource can't be deleted yet, for this reason; sweep will find it.
    Later(String),
}

/// Results of a search for orphans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// The orphans in order of deletion: running machines first, resources that others depend on last.
    pub found: Vec<Orphan>,
    /// True when some region could not be searched; a warning has the details.
    pub incomplete: bool,
}

/// A resource that a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Kind of the resource: `instance`, `snapshot`, `image` …
    pub kind: String,
    /// ID of the resource.
    pub id: String,
    /// Region of the resource, if the platform has regions.
    pub region: Option<String>,
    /// ARN of the role that has access to the resource, if it is in another account.
    pub role: Option<String>,
    /// ID of the account, if it is another one.
    pub account: Option<String>,
    /// ID of the run that created the resource.
    pub run: Option<String>,
    /// Expiry time.
    pub expired: Option<Timestamp>,
    /// Purpose of the resource, for messages.
    pub about: String,
}

impl Orphan {
    /// The orphan for an expired image.
    pub fn image(image: &ImageRecord, now: Timestamp) -> Self {
        Self {
            kind: IMAGE.to_owned(),
            id: image.id.clone(),
            region: image.region.clone(),
            role: None,
            account: image.account.clone(),
            run: image.tags.get(tags::RUN).cloned(),
            expired: image.expired(now),
            about: image.name.clone(),
        }
    }
}

/// An access to the cloud that a step's document needs: an action on a resource, in the platform's own syntax. The core
/// passes grants from documents to the platform unread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The action, such as `s3:GetObject` on AWS.
    pub action: &'static str,
    /// The resource: on AWS its ARN without `arn:` and partition, such as `s3:::bucket/key` or
    /// `ssm:REGION:ACCOUNT:parameter/NAME`; a `*` matches any text.
    pub resource: String,
}

/// Whether an action is allowed, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The action, such as `ec2:RunInstances`.
    pub action: String,
    /// True when the action is allowed; `None` when that can't be checked without running it.
    pub allowed: Option<bool>,
    /// The reason, or the policy statement that grants the action.
    pub detail: Option<String>,
}
