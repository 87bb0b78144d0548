//! Events: everything that happens in a run, as data. Reporters are folds over events, and a recorded run can be
//! replayed.

mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::delivery::Delivery;
use crate::image::ImageRecord;
use crate::location::SourceLocation;
use crate::output::Stream;
use crate::plan::{Digest, ImageKey, Phase, Price, ReportedPart, SourceImage};
use crate::rollout::Rollout;

pub use crate::failure::Failure;

/// Version of the event format; raised when readers of older versions would misread it.
pub const EVENT_VERSION: u32 = 1;

/// An event with its time and the image that it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// [`EVENT_VERSION`] of the program that wrote the event.
    pub v: u32,
    /// Time of the event.
    pub at: Timestamp,
    /// Time since the run began.
    pub elapsed: Duration,
    /// The image that the event is about; `None` for events of the whole run.
    pub image: Option<ImageKey>,
    /// The event.
    pub event: Event,
}

/// A stage of an image's life, in the order of `engine::STAGES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Find the source, decide version and digest, look for a reusable image.
    Source,
    /// Launch a machine.
    Launch,
    /// Connect to the machine.
    Connect,
    /// Build steps.
    Build,
    /// Validate steps.
    Validate,
    /// Remove what must not be in an image.
    Seal,
    /// Capture the image.
    Capture,
    /// Boot the image and test it.
    Test,
    /// Register the image under its final name and publish it.
    Publish,
    /// Run the deployments.
    Deploy,
}

impl Stage {
    /// Name of the stage in messages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Launch => "launch",
            Self::Connect => "connect",
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Seal => "seal",
            Self::Capture => "capture",
            Self::Test => "test",
            Self::Publish => "publish",
            Self::Deploy => "deploy",
        }
    }
}

/// Decision about an image, with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The image is baked.
    Bake {
        /// The reason: nothing published yet, the digest changed, forced …
        reason: String,
    },
    /// A tested image with the same digest and version exists.
    Reuse {
        /// The image.
        image: ImageRecord,
    },
    /// A tested image with the same digest and another version exists; it is registered under the new version.
    Reregister {
        /// The image.
        image: ImageRecord,
    },
}

/// How one attempt of a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The step passed.
    Passed,
    /// The step failed and is retried.
    Retrying(Failure),
    /// The step failed for good.
    Failed(Failure),
    /// The step failed, and the manifest ignores that.
    Ignored(Failure),
}

/// A package installed on a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Name of the package, with the architecture on machines with several.
    pub name: String,
    /// Version.
    pub version: String,
}

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// ID of the run, which is also in every tag.
        run: String,
        /// The namespace.
        namespace: String,
        /// The platform.
        platform: String,
        /// The home region, where the platform has regions.
        region: Option<String>,
        /// The images, in order.
        images: Vec<ImageKey>,
    },
    /// The source was found, and version and digest are known.
    Planned {
        /// Source image.
        source: SourceImage,
        /// Version of the image.
        version: semver::Version,
        /// The digest.
        digest: Digest,
        /// Bake, reuse or register, and why.
        decision: Decision,
        /// What the digest is made of; empty where no file was read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inputs: Vec<ReportedPart>,
    },
    /// A stage began.
    StageStarted {
        /// The stage that started.
        stage: Stage,
    },
    /// A stage ended.
    StageFinished {
        /// The stage that ended.
        stage: Stage,
        /// Duration of the stage.
        took: Duration,
        /// The failure, if the stage failed.
        failure: Option<Failure>,
    },
    /// A step began.
    StepStarted {
        /// Phase of the step.
        phase: Phase,
        /// Index of the step in the phase, from zero.
        index: usize,
        /// Name of the step.
        name: String,
        /// Number of the attempt, from one.
        attempt: u32,
    },
    /// A step printed a line, which is sanitized and masked.
    StepOutput {
        /// Phase of the step.
        phase: Phase,
        /// Index of the step in the phase.
        index: usize,
        /// Standard output or standard error.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// An attempt of a step ended.
    StepFinished {
        /// Phase of the step.
        phase: Phase,
        /// Index of the step in the phase.
        index: usize,
        /// How the step ended.
        outcome: StepOutcome,
        /// Duration of the step.
        took: Duration,
    },
    /// Progress within a stage.
    Progress {
        /// A short sentence.
        message: String,
    },
    /// A problem that does not stop the run.
    Warning {
        /// The problem, as a sentence.
        message: String,
        /// Help for the reader.
        help: Option<String>,
        /// The line of a file that a step names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<SourceLocation>,
    },
    /// A machine was started.
    MachineStarted {
        /// ID of the machine.
        id: String,
        /// Type of the machine.
        kind: String,
        /// Zone and address of the machine, for messages.
        place: String,
        /// Whether the machine was for building or for testing.
        phase: Phase,
    },
    /// A machine was terminated.
    MachineEnded {
        /// ID of the machine.
        id: String,
        /// Type of the machine.
        kind: String,
        /// Time from launch to termination.
        ran: Duration,
        /// Hourly price, if known.
        #[serde(default)]
        hourly: Option<Price>,
    },
    /// The packages of a machine, before the build and after validate.
    Packages {
        /// Packages before the build.
        before: Vec<Package>,
        /// Packages after validate.
        after: Vec<Package>,
    },
    /// The image was registered under its final name; publishing it elsewhere may still fail.
    Registered {
        /// The image.
        image: ImageRecord,
    },
    /// Publishing to one region or repository ended.
    Published {
        /// Result of publishing to the region.
        delivery: Delivery,
    },
    /// A deployment ended.
    Deployed {
        /// Result of the deployment.
        rollout: Rollout,
    },
    /// An older version of the image was deleted by retention.
    Retired {
        /// The image that was deleted.
        image: ImageRecord,
    },
    /// An older version that the retention rule would delete is kept.
    Held {
        /// The image that was kept.
        image: ImageRecord,
        /// Users of the image, or its protection, for messages.
        why: String,
    },
    /// A resource was kept because of `--keep-on-failure`.
    Kept {
        /// The resource that was kept.
        what: String,
        /// How to connect to it or delete it.
        hint: String,
    },
    /// A resource could not be deleted; sweep will find it.
    #[serde(rename = "left")]
    Orphaned {
        /// The resource that was left behind.
        what: String,
        /// Why it was left, and what will delete it.
        why: String,
    },
    /// The bake of an image ended.
    ImageFinished {
        /// The image, if there is one.
        image: Option<ImageRecord>,
        /// True when the image existed before.
        reused: bool,
        /// The failure, if there was one.
        failure: Option<Failure>,
        /// True when the image was not started because its base failed.
        skipped: bool,
    },
    /// The run ended.
    RunFinished {
        /// The exit code.
        exit_code: u8,
        /// Path of the report.
        report: Option<PathBuf>,
    },
}

/// Maximum bytes of output that are queued for the reporters, including bookkeeping. Enough for a burst of a step
/// ([`BURST`](crate::output::BURST)).
const ROOM: usize = 16 << 20;
/// Free bytes required before another chunk is read from a machine: the most that a chunk can take once the burst is
/// used up.
const CHUNK_ROOM: u32 = 2 << 20;

/// Sender of events; cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::UnboundedSender<QueuedEvent>,
    room: Arc<Semaphore>,
}

/// A queued event, with the room that it takes in the queue.
#[derive(Debug)]
pub struct QueuedEvent {
    /// The event.
    pub envelope: Envelope,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<Envelope> for QueuedEvent {
    /// An event that takes no room in the queue.
    fn from(envelope: Envelope) -> Self {
        Self { envelope, _room: None }
    }
}

/// The receiver of [`Events`].
#[derive(Debug)]
pub struct EventReceiver(mpsc::UnboundedReceiver<QueuedEvent>);

impl EventReceiver {
    /// The next event; `None` once every sender is dropped. Dropping the event frees its room.
    pub async fn recv(&mut self) -> Option<QueuedEvent> {
        self.0.recv().await
    }

    /// The next event, if one is queued.
    pub fn try_recv(&mut self) -> Option<Envelope> {
        self.0.try_recv().ok().map(|queued| queued.envelope)
    }
}

impl Events {
    /// A pair of sender and receiver. The receiver belongs to the one dispatcher that feeds all reporters.
    pub fn channel() -> (Self, EventReceiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, room: Arc::new(Semaphore::new(ROOM)) }, EventReceiver(receiver))
    }

    /// Sends an event. It is dropped when there is no receiver.
    pub fn send(&self, envelope: Envelope) {
        let _ = self.sender.send(envelope.into());
    }

    /// Sends a line of output. False when the queue has no room for it, because the reporters are slow.
    pub fn offer(&self, envelope: Envelope) -> bool {
        let Event::StepOutput { line, .. } = &envelope.event else {
            self.send(envelope);
            return true;
        };
        let size =
            size_of::<QueuedEvent>() + line.capacity() + envelope.image.as_ref().map_or(0, |key| key.to_string().len());
        let room = u32::try_from(size).ok().and_then(|size| Arc::clone(&self.room).try_acquire_many_owned(size).ok());
        let has_room = room.is_some();
        if has_room {
            let _ = self.sender.send(QueuedEvent { envelope, _room: room });
        }
        has_room
    }

    /// Waits until the queue has room for the output of one more chunk.
    pub async fn room(&self) {
        // The semaphore is never closed.
        let _ = self.room.acquire_many(CHUNK_ROOM).await;
    }
}
