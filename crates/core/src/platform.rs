//! What a platform must be able to do. A platform is one crate behind these traits.

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

/// What a platform can do, so that `check` refuses the rest with a line number. Field names are the manifest's.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The platform's name, also its key below `source`.
    pub platform: &'static str,
    /// The key below `source` that it reads.
    pub source: &'static str,
    /// The fields of `machine` that it knows.
    pub machine: &'static [&'static str],
    /// The fields of `publish` that it knows.
    pub publish: &'static [&'static str],
    /// The capture modes that it has.
    pub captures: &'static [CaptureMode],
    /// True when machines run an init, so that `expect: {service: …}` can be asked.
    pub init: bool,
    /// True when baking a fixed version again replaces the image, once the new one is tested.
    pub replaces_versions: bool,
    /// True when it has [`Services`]: objects and parameters that steps may ask for.
    pub services: bool,
    /// True when it can deploy: move templates and groups to an image.
    pub deploy: bool,
}

/// Filter for a list of ami-bake's images.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// The namespace; all without.
    pub namespace: Option<String>,
    /// Image and variant; all without.
    pub key: Option<ImageKey>,
    /// The owner; this account without.
    pub owner: Option<String>,
}

impl ImageQuery {
    /// Whether an image has the namespace and the key of the query.
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
    /// All tags for the image and its parts; nothing expires any more.
    pub tags: BTreeMap<String, String>,
    /// True when an image of this name and digest that passed its tests, such as one that another run registered
    /// meanwhile, takes the candidate's place.
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

/// A bakery's platform: AWS, this machine, Docker.
#[async_trait]
pub trait Platform: Send + Sync {
    /// What the platform supports.
    fn capabilities(&self) -> Capabilities;

    /// The home region, where the platform has regions.
    fn region(&self) -> Option<String>;

    /// Whose resources it sees, in words: an account, a daemon. What another owner has can't be found here. None where
    /// nothing tells them apart.
    ///
    /// # Errors
    /// When it can't be found out.
    async fn owner(&self, run: &Run) -> Result<Option<String>> {
        let _ = run;
        Ok(None)
    }

    /// The cloud's objects and parameters, for steps; none where [`Capabilities::services`] says so.
    fn services(&self) -> Option<Arc<dyn Services>> {
        None
    }

    /// Finds the source image; `Baked` queries that are not siblings too.
    async fn find_source(&self, run: &Run, query: &SourceQuery) -> Result<SourceImage>;

    /// Our own images in the home region, candidates included.
    async fn images(&self, run: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>>;

    /// Starts a machine. Everything that it makes is in the ledger before the call that makes it.
    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>>;

    /// Registers a tested candidate, or an image that is there already, under its final name, and takes the
    /// candidate's own registration away. On return the image is found by every look-up. A candidate that can't be
    /// deleted is not a failure: it stays in the ledger.
    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord>;

    /// Brings a registered image to where its plan publishes it beyond the platform's own place, such as a registry.
    /// Asked again whenever the image is reused, so that it must be idempotent; by default there is nothing to do.
    /// With `force` (`--force`) a parameter may move back to an older version.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Publish`], with what did happen; the image stays registered.
    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord, force: bool) -> Result<()> {
        let _ = (run, plan, image, force);
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

    /// Checks that the plan's deployments can succeed, before a machine is launched; by default nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn preflight_deploy(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Moves what runs with an older version to the image, and back when that fails. Can be asked again after a run
    /// that was cut off. What is done, and how it ends, is written into `rollout` as it happens. With `force`
    /// (`--force`) it takes over what somebody else moved meanwhile.
    ///
    /// # Errors
    /// Why it failed; the rollout's outcome says what that leaves.
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
    /// in the ledger, so that a failed test deletes them. What can't start now is reported by [`Platform::publish`].
    async fn prepare(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
        let _ = (run, plan, candidate);
    }

    /// What of an image's versions the plan's retention keeps no longer, everywhere where the plan publishes it, with
    /// what still holds each. `planned`: the new version is not there yet, and is taken for registered.
    async fn superseded(&self, run: &Run, plan: &ImagePlan, planned: bool) -> Result<Vec<Superseded>> {
        // Of every name: an image that another one was built on stays.
        let mut all = self.images(run, &ImageQuery::default()).await?;
        if planned {
            all.push(ImageRecord::planned(plan, run.clock().now()));
        }
        let ours = |image: &&ImageRecord| {
            image.namespace == plan.namespace && image.key == plan.key && image.version == plan.version
        };
        let Some(new) = all.iter().filter(ours).find(|image| image.tested.is_some()) else { return Ok(Vec::new()) };
        let going = plan.settings.retention.superfluous(new, &all, run.clock().now()).into_iter();
        Ok(going.map(|image| Superseded { image: image.clone(), held: None }).collect())
    }

    /// Deletes what [`Platform::superseded`] found and nothing holds.
    async fn retire(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        let _ = plan;
        self.delete_image(run, &image.id).await
    }

    /// Our own images wherever one of these distributions brings them, with who uses each.
    async fn inventory(&self, run: &Run, query: &ImageQuery, published: &[Distribution]) -> Result<Vec<Listed>> {
        let _ = published;
        Ok(self.images(run, query).await?.into_iter().map(|image| Listed { image, usage: None }).collect())
    }

    /// Deletes an image and the parts that no other image uses. Not being there is success.
    async fn delete_image(&self, run: &Run, image: &str) -> Result<()>;

    /// Undoes one open ledger entry: asks for the deletion, waits for nothing.
    async fn undo(&self, run: &Run, entry: &Entry) -> Result<Undo>;

    /// Deletes what this run created for itself (key, group, profile), at the run's end.
    async fn close(&self, run: &Run) -> Result<()>;

    /// What expired by its tags, of every run, in the home region and in `scope`. What belongs to a run that is still
    /// active is not among it.
    ///
    /// # Errors
    /// When no place can be searched. When some can, the others are a warning.
    async fn expired(&self, run: &Run, scope: &SweepScope) -> Result<Orphans>;

    /// Deletes one leftover.
    async fn remove(&self, run: &Run, leftover: &Orphan) -> Result<Undo>;

    /// Asks by dry run what the role may do: one finding for each action that a bake of these plans needs, and for each
    /// of what their documents use.
    async fn permissions(&self, run: &Run, plans: &[ImagePlan], grants: &[Grant]) -> Result<Vec<Permission>>;
}

/// Result of an undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// It is gone, or on its way without anybody's help.
    Done,
    /// It stays, and why: it turned out to be part of something that is published, and says so from now on.
    Kept(String),
    /// It can't go before something of the kind `by` that holds it, and why.
    Held {
        /// The ledger's kind of what holds it.
        by: &'static str,
        /// The resource that holds it.
        why: String,
    },
    /// It can't go yet, and why; sweep will find it.
    Later(String),
}

/// Results of a search for orphans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// What runs left behind: what is at work first, what others are made of last.
    pub found: Vec<Orphan>,
    /// True when some place could not be searched, as a warning says.
    pub incomplete: bool,
}

/// Something that a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// What it is: `instance`, `snapshot`, `image` …
    pub kind: String,
    /// ID of the resource.
    pub id: String,
    /// Its region, where the platform has regions.
    pub region: Option<String>,
    /// The role under which it is reached, where it is in another account.
    pub role: Option<String>,
    /// The account, where it is another one.
    pub account: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// Expiry time.
    pub expired: Option<Timestamp>,
    /// Purpose of the resource, in words.
    pub about: String,
}

impl Orphan {
    /// An expired image.
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

/// What a step's document uses of the cloud: an action on a resource, both in the platform's own words. The core passes
/// them from the documents to the platform unread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The action; on AWS such as `s3:GetObject`.
    pub action: &'static str,
    /// The resource; on AWS its ARN without `arn:` and partition, such as `s3:::bucket/key` or
    /// `ssm:REGION:ACCOUNT:parameter/NAME`; a `*` matches any text.
    pub resource: String,
}

/// Whether an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The action, such as `ec2:RunInstances`.
    pub action: String,
    /// True when it is allowed; none when it could not be asked without doing it.
    pub allowed: Option<bool>,
    /// Why, or the policy statement that grants it.
    pub detail: Option<String>,
}
