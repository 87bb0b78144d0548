//! What a platform must be able to do. A platform is one room behind these traits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::communicator::Communicator;
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::plan::{
    Architecture, CaptureMode, Deployment, Digest, Distribution, ImageKey, ImagePlan, MachineSettings, Phase, Price,
    SourceImage, SourceQuery,
};
use crate::provision::Login;
use crate::rollout::Rollout;
use crate::run::Run;
use crate::services::Services;
use crate::tags;

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
    /// True when it can move launch templates and groups.
    pub deploy: bool,
}

/// An image that ami-bake made, as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The platform's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its region, where the platform has regions.
    pub region: Option<String>,
    /// The account that has it, where that is another than the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// Image and variant.
    pub key: ImageKey,
    /// Its version.
    pub version: semver::Version,
    /// Its digest.
    pub digest: Digest,
    /// When its tests passed; none for a candidate.
    pub tested: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// True when it can be launched now.
    pub available: bool,
    /// Its architecture.
    pub architecture: Option<Architecture>,
    /// What it consists of: snapshots on AWS, layers locally.
    pub parts: Vec<String>,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
}

impl ImageRecord {
    /// The image that a plan makes, before it is there: without an id.
    pub fn planned(plan: &ImagePlan, now: Timestamp) -> Self {
        Self {
            id: String::new(),
            name: plan.settings.name.clone(),
            region: None,
            account: None,
            namespace: plan.namespace.clone(),
            key: plan.key.clone(),
            version: plan.version.clone(),
            digest: plan.digest.clone(),
            tested: Some(now),
            created: Some(now),
            available: true,
            architecture: plan.source.architecture,
            parts: Vec::new(),
            tags: BTreeMap::from([(tags::SOURCE.to_owned(), plan.source.id.clone())]),
        }
    }

    /// Since when its end has come, by its tag. A final version that passed its tests has none.
    pub fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let passes = self.tested.is_none() || !self.version.pre.is_empty();
        let end: Timestamp = self.tags.get(tags::EXPIRES).filter(|_| passes)?.parse().ok()?;
        (end <= now).then_some(end)
    }

    /// The image as a source of further images and of test machines.
    pub fn as_source(&self) -> SourceImage {
        SourceImage {
            id: self.id.clone(),
            name: self.name.clone(),
            owner: "self".to_owned(),
            created: self.created,
            tags: self.tags.clone(),
            architecture: self.architecture,
            identity: self.id.clone(),
            version: Some(self.version.clone()),
        }
    }
}

/// Who uses an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// These, each in a few words: `instance i-…`, `launch template lt-…`. Nobody when it is empty.
    By(Vec<String>),
    /// It could not be learnt, and why: whoever wants to delete the image takes it for used.
    Unknown(String),
}

/// An image where it is published, with who uses it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The image.
    pub image: ImageRecord,
    /// Who uses it; none where the platform can't tell.
    pub usage: Option<Usage>,
}

/// A version that the plan's retention keeps no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The image.
    pub image: ImageRecord,
    /// Why it stays all the same, in words: who uses it, or what protects it.
    pub held: Option<String>,
}

/// Which of our own images to list.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// The namespace; all without.
    pub namespace: Option<String>,
    /// Image and variant; all without.
    pub key: Option<ImageKey>,
    /// The owner; this account without.
    pub owner: Option<String>,
}

/// What to launch.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// The image that is being baked or tested, for names and tags.
    pub key: &'a ImageKey,
    /// The namespace.
    pub namespace: &'a str,
    /// To build on or to test on.
    pub phase: Phase,
    /// The image to boot.
    pub source: &'a SourceImage,
    /// The machine's settings.
    pub machine: &'a MachineSettings,
    /// How long the machine may live when nobody ends it.
    pub lifetime: Duration,
}

/// What to capture.
#[derive(Debug, Clone)]
pub struct Capture<'a> {
    /// The plan: machine settings, mode, description.
    pub plan: &'a ImagePlan,
    /// Tags for the candidate and its parts, with an expiry until it is registered.
    pub tags: BTreeMap<String, String>,
    /// The candidate's name.
    pub name: String,
}

/// A captured image that has not passed its tests yet.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The image, to be launched from.
    pub image: SourceImage,
    /// What it consists of.
    pub parts: Vec<String>,
}

/// The final name and tags of an image.
#[derive(Debug, Clone)]
pub struct Registration<'a> {
    /// The plan of the image.
    pub plan: &'a ImagePlan,
    /// All tags for the image and its parts; nothing expires any more.
    pub tags: BTreeMap<String, String>,
}

/// A bakery's platform: AWS, this machine, Docker.
#[async_trait]
pub trait Platform: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The home region, where the platform has regions.
    fn region(&self) -> Option<String>;

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
    /// candidate's own registration away. On return the image is found by every look-up.
    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord>;

    /// Brings a registered image to where its plan publishes it beyond the platform's own place, such as a registry.
    /// Asked again whenever the image is reused, so that it must be idempotent; by default there is nothing to do.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Publish`], with what did happen; the image stays registered.
    async fn publish(&self, run: &Run, plan: &ImagePlan, image: &ImageRecord) -> Result<()> {
        let _ = (run, plan, image);
        Ok(())
    }

    /// Says what of a plan's publishing the account does not allow, before a machine starts; by default nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn judge_publishing(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Says what of a plan's deployments can't come to a good end, before a machine starts; by default nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Preflight`], with what to do.
    async fn judge_deploying(&self, run: &Run, plan: &ImagePlan) -> Result<()> {
        let _ = (run, plan);
        Ok(())
    }

    /// Moves what runs with an older version to the image, and back when that fails. Can be asked again after a run that
    /// was cut off. What is done, and how it ends, is written into `rollout` as it happens.
    ///
    /// # Errors
    /// Why it failed; the rollout's outcome says what that leaves.
    async fn deploy(
        &self,
        run: &Run,
        plan: &ImagePlan,
        image: &ImageRecord,
        deployment: &Deployment,
        rollout: &mut Rollout,
    ) -> Result<()> {
        let _ = (run, plan, image, rollout);
        Err(Error::manifest("this platform deploys nothing").at(deployment.route.clone()))
    }

    /// Begins what publishing takes long for while the candidate is being tested: copies that no look-up can meet. They
    /// stand in the ledger, so that a failed test takes them away. What can't begin now is told by [`Platform::publish`].
    async fn prepare(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
        let _ = (run, plan, candidate);
    }

    /// What of an image's versions the plan's retention keeps no longer, everywhere where the plan publishes it, with what
    /// still holds each. `planned`: the new version is not there yet, and is taken for registered.
    async fn superseded(&self, run: &Run, plan: &ImagePlan, planned: bool) -> Result<Vec<Superseded>> {
        // Of every name: whoever was built on one of them counts.
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

    /// Takes away what this run made for itself and needs no longer (key, group, profile), at the run's end.
    async fn close(&self, run: &Run) -> Result<()>;

    /// What expired by its tags, of every run.
    async fn expired(&self, run: &Run) -> Result<Vec<Orphan>>;

    /// Deletes one leftover.
    async fn remove(&self, run: &Run, leftover: &Orphan) -> Result<Undo>;

    /// Asks by dry run what the role may do: one finding for each action that a bake of these plans needs, and for each of
    /// what their documents use.
    async fn permissions(&self, run: &Run, plans: &[ImagePlan], grants: &[Grant]) -> Result<Vec<Permission>>;
}

/// How an undo went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// It is gone, or on its way without anybody's help.
    Done,
    /// It can't go yet, and why; sweep will find it.
    Later(String),
}

/// Something that a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// What it is: `instance`, `snapshot`, `image` …
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its region, where the platform has regions.
    pub region: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// When it expired.
    pub expired: Option<Timestamp>,
    /// What it was for, in words.
    pub about: String,
}

/// What a step's document uses of the cloud: an action of IAM on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Such as `s3:GetObject`.
    pub action: &'static str,
    /// The resource's ARN without `arn:` and partition, such as `s3:::bucket/key` or `ssm:REGION:ACCOUNT:parameter/NAME`;
    /// a `*` stands for any text.
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

/// How a person reaches a machine that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The folder that the bake's own key is written into, where the machine is reached by one.
    pub folder: PathBuf,
    /// A public key of the person's, as OpenSSH writes it, that is let in too.
    pub key: Option<String>,
}

impl From<PathBuf> for Keep {
    fn from(folder: PathBuf) -> Self {
        Self { folder, key: None }
    }
}

/// A machine that was launched.
#[async_trait]
pub trait Machine: Send + Sync {
    /// The platform's id of it.
    fn id(&self) -> &str;

    /// Its type, for the report.
    fn kind(&self) -> &str;

    /// Where it is, in words: zone and address.
    fn place(&self) -> String;

    /// What it costs an hour, where that is known: the market's price, or what the manifest says.
    fn hourly(&self) -> Option<Price> {
        None
    }

    /// Waits until it is reachable and its first boot is finished.
    async fn connect(&self, run: &Run) -> Result<Arc<dyn Communicator>>;

    /// What the bake put on it to log in, for the seal to take away.
    fn login(&self) -> Login;

    /// The absolute paths that were made or changed since it was launched, where the platform knows them without looking
    /// at every file: a list for the search for secrets. It may name folders and what is gone again, but leave nothing
    /// out that becomes part of the image. None where nobody knows.
    async fn changes(&self, run: &Run) -> Result<Option<Vec<PathBuf>>> {
        let _ = run;
        Ok(None)
    }

    /// Restarts it and waits until it is back, recognised by another boot id.
    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()>;

    /// Takes the connection up anew and does what each start of the machine needs, for whoever restarted it without
    /// [`Machine::reboot`]; by default nothing.
    ///
    /// # Errors
    /// When the machine does not answer in time.
    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        let _ = (run, timeout);
        Ok(())
    }

    /// Brings the disk to rest and fixes its content. On return the machine is not needed any more, but for what the
    /// platform itself keeps until the image is [`PendingImage::available`].
    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>>;

    /// Gives the machine back, waiting for nothing. May be called twice.
    async fn destroy(&self, run: &Run) -> Result<()>;

    /// Keeps the machine for a person (`--keep-on-failure`), and says how to reach it.
    async fn keep(&self, run: &Run, keep: &Keep) -> Result<String>;
}

/// An image whose content is fixed, but which can't be launched yet.
#[async_trait]
pub trait PendingImage: Send + Sync {
    /// Waits until it can be launched.
    async fn available(self: Box<Self>, run: &Run) -> Result<Candidate>;
}
