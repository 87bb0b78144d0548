//! What happens in a run, as data: every reporter folds over these, and a recorded run can be replayed.

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
use crate::plan::{Digest, ImageKey, Phase, Price, SourceImage};
use crate::rollout::Rollout;

pub use crate::failure::Failure;

/// The version of the event format; raised when a reader of older records would misread it.
pub const EVENT_VERSION: u32 = 1;

/// An event with its time and the image that it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// [`EVENT_VERSION`] of the writer.
    pub v: u32,
    /// Time of the event.
    pub at: Timestamp,
    /// Time since the run began.
    pub elapsed: Duration,
    /// The image that it is about; none for what concerns the whole run.
    pub image: Option<ImageKey>,
    /// The event.
    pub event: Event,
}

/// A stage of an image's life, in the order of `engine::STAGES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Find the source, decide version and digest, look into the cache.
    Source,
    /// Start a machine.
    Launch,
    /// Reach it.
    Connect,
    /// Build steps.
    Build,
    /// Validate steps.
    Validate,
    /// Take out what must not be in an image.
    Seal,
    /// Take the image.
    Capture,
    /// Boot the image and test it.
    Test,
    /// Register it under its final name.
    Publish,
    /// Move what runs with it.
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

/// Decision about an image, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It is baked.
    Bake {
        /// Why: nothing published yet, the digest changed, forced …
        reason: String,
    },
    /// An image with the same digest and version is there and tested.
    Reuse {
        /// The image.
        image: ImageRecord,
    },
    /// An image with the same digest and another version is there and tested: it is registered again.
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
    /// It failed and is tried again.
    Retrying(Failure),
    /// It failed for good.
    Failed(Failure),
    /// It failed and the manifest says to ignore that.
    Ignored(Failure),
}

/// A package that is installed on a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Name, with the architecture where a machine has several.
    pub name: String,
    /// Version.
    pub version: String,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// The run's id, also in every tag.
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
    /// The source is found, the version and the digest are known.
    Planned {
        /// Source that the image is built from.
        source: SourceImage,
        /// Version of the image.
        version: semver::Version,
        /// The digest.
        digest: Digest,
        /// Bake, reuse or register, and why.
        decision: Decision,
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
        /// Its failure, if it failed.
        failure: Option<Failure>,
    },
    /// A step began.
    StepStarted {
        /// Phase of the step.
        phase: Phase,
        /// Its index in the phase, from zero.
        index: usize,
        /// Name of the step.
        name: String,
        /// Number of the attempt, from one.
        attempt: u32,
    },
    /// A step printed a line; sanitised and masked.
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
    /// Something worth a line while a stage goes on.
    Progress {
        /// A short sentence.
        message: String,
    },
    /// Something is odd, and the run goes on.
    Warning {
        /// The notice, as a sentence.
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
        /// Where: zone and address, in words.
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
    /// The packages at the beginning and after validate.
    Packages {
        /// Packages before the build.
        before: Vec<Package>,
        /// After validate.
        after: Vec<Package>,
    },
    /// The image has its final name; publishing it further may still fail.
    Registered {
        /// The image.
        image: ImageRecord,
    },
    /// Publishing to one region or repository came to its end.
    Published {
        /// Result of publishing to the region.
        delivery: Delivery,
    },
    /// A deployment came to its end.
    Deployed {
        /// Result of the deployment.
        rollout: Rollout,
    },
    /// An older version of the image was deleted, since the plan keeps no more of them.
    Retired {
        /// The image that was deleted.
        image: ImageRecord,
    },
    /// An older version that the retention rule would delete is kept.
    Held {
        /// The image that was kept.
        image: ImageRecord,
        /// Users of the image, or its protection, in words.
        why: String,
    },
    /// Something that `--keep-on-failure` left, and how to reach it.
    Kept {
        /// The resource that was kept.
        what: String,
        /// How to connect to it or delete it.
        hint: String,
    },
    /// Something that could not be removed; sweep will find it.
    #[serde(rename = "left")]
    Orphaned {
        /// The resource that was left behind.
        what: String,
        /// Why, and what deletes it.
        why: String,
    },
    /// An image came to its end.
    ImageFinished {
        /// The image, if there is one.
        image: Option<ImageRecord>,
        /// True when it was there before.
        reused: bool,
        /// The failure, if there was one.
        failure: Option<Failure>,
        /// True when it wasn't begun because what it is built on failed.
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

/// Bytes of output that are on their way to the reporters at most, with what holds them. Enough for what a step may
/// print at once ([`BURST`](crate::output::BURST)).
const ROOM: usize = 16 << 20;
/// What is free when another chunk is read from a machine: as much as it can be worth where nothing is left of the
/// burst.
const CHUNK_ROOM: u32 = 2 << 20;

/// Takes events; cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::UnboundedSender<QueuedEvent>,
    room: Arc<Semaphore>,
}

/// An event on its way, and its room in the queue.
#[derive(Debug)]
pub struct QueuedEvent {
    /// The event.
    pub envelope: Envelope,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<Envelope> for QueuedEvent {
    /// An event that takes no room.
    fn from(envelope: Envelope) -> Self {
        Self { envelope, _room: None }
    }
}

/// The other end of [`Events`].
#[derive(Debug)]
pub struct EventReceiver(mpsc::UnboundedReceiver<QueuedEvent>);

impl EventReceiver {
    /// The next event; none once every sender is gone. Its room is free again when it is dropped.
    pub async fn recv(&mut self) -> Option<QueuedEvent> {
        self.0.recv().await
    }

    /// The next event, if there is one already.
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

    /// Sends an event. A run without a listener goes on.
    pub fn send(&self, envelope: Envelope) {
        let _ = self.sender.send(envelope.into());
    }

    /// Sends a line of output. False when there is no room for it: what shows the events is slow.
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

    /// Waits until there is room for the output of one more chunk.
    pub async fn room(&self) {
        // Never closed.
        let _ = self.room.acquire_many(CHUNK_ROOM).await;
    }
}
