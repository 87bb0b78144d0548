//! Machines of a platform: launching, connecting, capturing, terminating.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::communicator::Communicator;
use crate::error::{Error, Result};
use crate::plan::{ImageKey, ImagePlan, MachineSettings, Phase, Price, SourceImage};
use crate::run::Run;

/// Parameters of a launch.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// The image that is baked or tested, for names and tags.
    pub key: &'a ImageKey,
    /// The namespace.
    pub namespace: &'a str,
    /// Whether the machine is for building or for testing.
    pub phase: Phase,
    /// The image to boot.
    pub source: &'a SourceImage,
    /// Settings of the machine.
    pub machine: &'a MachineSettings,
    /// Time after which the machine ends by itself if nobody terminates it.
    pub lifetime: Duration,
}

/// Parameters of a capture.
#[derive(Debug, Clone)]
pub struct Capture<'a> {
    /// The plan, with machine settings, capture mode and description.
    pub plan: &'a ImagePlan,
    /// Tags for the candidate and its parts, including an expiry until it is registered.
    pub tags: BTreeMap<String, String>,
    /// The candidate's name.
    pub name: String,
}

/// A captured image that has not passed its tests yet.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The image as a source for test machines.
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

/// Everything that the bake itself added to the machine for its login, which the seal removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Public keys in OpenSSH format that the bake added to `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// Files that the bake created.
    pub files: Vec<String>,
    /// Shell commands that the seal runs last: what the capture needs on the machine, so that it needs no connection.
    pub last: String,
}

/// How a user connects to a kept machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The folder into which the bake's private key is written, if the machine is reached with one.
    pub folder: PathBuf,
    /// A user's public key in OpenSSH format, which is authorized too.
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
    /// ID of the machine on the platform.
    fn id(&self) -> &str;

    /// Type of the machine, for the report.
    fn kind(&self) -> &str;

    /// Location of the machine for messages: zone and address.
    fn place(&self) -> String;

    /// Price of the machine per hour, if known: the market's price, or the one in the manifest.
    fn hourly(&self) -> Option<Price> {
        None
    }

    /// Waits until the machine is reachable and its first boot has finished.
    async fn connect(&self, run: &Run) -> Result<Arc<dyn Communicator>>;

    /// Waits until the machine has booted, as far as that shows without a login; what it returns opens connections to the
    /// machine's ports and runs no commands.
    ///
    /// # Errors
    /// When it does not boot in time, or when the platform can't check it.
    async fn booted(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        let _ = run;
        Err(Error::preflight(format!("could not check {} without a login: not supported on this platform", self.id()))
            .help("Remove `test-connect: none`."))
    }

    /// Everything that the bake added to the machine for its login, for the seal to remove.
    fn login(&self) -> Login;

    /// The absolute paths that were created or changed since the launch, if the platform knows them without reading
    /// every file; used for the search for secrets. The list may contain folders and deleted files, but must not omit
    /// anything that becomes part of the image. `None` if the platform does not know.
    async fn changes(&self, run: &Run) -> Result<Option<Vec<PathBuf>>> {
        let _ = run;
        Ok(None)
    }

    /// Restarts the machine and waits until it is back, which a new boot id proves.
    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()>;

    /// Reconnects and repeats the set-up that each start of the machine needs, for callers that restarted it without
    /// [`Machine::reboot`]; by default nothing.
    ///
    /// # Errors
    /// When the machine does not answer in time.
    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        let _ = (run, timeout);
        Ok(())
    }

    /// Quiesces the disk and captures its content. On return the machine is not needed any more, except for what the
    /// platform itself keeps until the image is [`PendingImage::available`].
    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>>;

    /// Terminates the machine without waiting for its end. May be called twice.
    async fn destroy(&self, run: &Run) -> Result<()>;

    /// Keeps the machine (`--keep-on-failure`), and returns how to reach it.
    async fn keep(&self, run: &Run, keep: &Keep) -> Result<String>;
}

/// An image whose content is fixed, but which can't be launched yet.
#[async_trait]
pub trait PendingImage: Send + Sync {
    /// Waits until the image can be launched.
    async fn available(self: Box<Self>, run: &Run) -> Result<Candidate>;
}
