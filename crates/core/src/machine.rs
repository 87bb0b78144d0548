//! A machine of a platform: launched, connected, captured, terminated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::communicator::Communicator;
use crate::error::Result;
use crate::plan::{ImageKey, ImagePlan, MachineSettings, Phase, Price, SourceImage};
use crate::run::Run;

/// A machine to launch.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// The image that is being baked or tested, for names and tags.
    pub key: &'a ImageKey,
    /// The namespace.
    pub namespace: &'a str,
    /// Whether the machine is for building or for testing.
    pub phase: Phase,
    /// The image to boot.
    pub source: &'a SourceImage,
    /// The machine's settings.
    pub machine: &'a MachineSettings,
    /// Lifetime of the machine if nobody terminates it.
    pub lifetime: Duration,
}

/// Parameters of a capture.
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
    /// IDs of the parts of the image, such as snapshots.
    pub parts: Vec<String>,
}

/// A machine with a connection.
#[derive(Clone)]
pub struct ConnectedMachine<'a> {
    /// The machine.
    pub machine: &'a dyn Machine,
    /// The connection to it, which survives reboots.
    pub communicator: Arc<dyn Communicator>,
}

/// What the bake itself put on the machine, so that the seal can remove exactly that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Public keys in OpenSSH's form that the bake added to `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// Files that the bake made.
    pub files: Vec<String>,
}

/// How a user connects to a kept machine.
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

    /// What the bake put on it to log in, for the seal to remove.
    fn login(&self) -> Login;

    /// The absolute paths that were made or changed since it was launched, where the platform knows them without
    /// looking at every file: a list for the search for secrets. It may name folders and what is gone again, but leave
    /// nothing out that becomes part of the image. None where nobody knows.
    async fn changes(&self, run: &Run) -> Result<Option<Vec<PathBuf>>> {
        let _ = run;
        Ok(None)
    }

    /// Restarts it and waits until it is back, recognised by another boot id.
    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()>;

    /// Reconnects and does what each start of the machine needs, for callers that restarted it without
    /// [`Machine::reboot`]; by default nothing.
    ///
    /// # Errors
    /// When the machine does not answer in time.
    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        let _ = (run, timeout);
        Ok(())
    }

    /// Quiesces the disk and fixes its content. On return the machine is not needed any more, but for what the
    /// platform itself keeps until the image is [`PendingImage::available`].
    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>>;

    /// Terminates the machine, waiting for nothing. May be called twice.
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
