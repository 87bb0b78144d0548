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
    /// When it happened.
    pub at: Timestamp,
    /// Time since the run began.
    pub elapsed: Duration,
    /// The image that it is about; none for what concerns the whole run.
    pub image: Option<ImageKey>,
    /// What happened.
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
    /// Its name in messages and reports.
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

/// What is done with an image, and why.
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
    /// It did what it should.
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
        /// The source.
        source: SourceImage,
        /// The version.
        version: semver::Version,
        /// The digest.
        digest: Digest,
        /// What is done, and why.
        decision: Decision,
    },
    /// A stage began.
    StageStarted {
        /// Which.
        stage: Stage,
    },
    /// A stage ended.
    StageFinished {
        /// Which.
        stage: Stage,
        /// How long it took.
        took: Duration,
        /// Its failure, if it failed.
        failure: Option<Failure>,
    },
    /// A step began.
    StepStarted {
        /// Its phase.
        phase: Phase,
        /// Its index in the phase, from zero.
        index: usize,
        /// Its name.
        name: String,
        /// Which attempt, from one.
        attempt: u32,
    },
    /// A step printed a line; sanitised and masked.
    StepOutput {
        /// Its phase.
        phase: Phase,
        /// Its index in the phase.
        index: usize,
        /// Which stream.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// An attempt of a step ended.
    StepFinished {
        /// Its phase.
        phase: Phase,
        /// Its index in the phase.
        index: usize,
        /// How.
        outcome: StepOutcome,
        /// How long it took.
        took: Duration,
    },
    /// Something worth a line while a stage goes on.
    Progress {
        /// A short sentence.
        message: String,
    },
    /// Something is odd, and the run goes on.
    Warning {
        /// A sentence.
        message: String,
        /// What the reader can do.
        help: Option<String>,
        /// The line of a file that a step names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<SourceLocation>,
    },
    /// A machine was started.
    MachineStarted {
        /// Its id.
        id: String,
        /// Its type.
        kind: String,
        /// Where: zone and address, in words.
        place: String,
        /// For building or for testing.
        phase: Phase,
    },
    /// A machine was terminated.
    MachineEnded {
        /// Its id.
        id: String,
        /// Its type.
        kind: String,
        /// How long it ran.
        ran: Duration,
        /// What it costs an hour, where that is known.
        #[serde(default)]
        hourly: Option<Price>,
    },
    /// The packages at the beginning and after validate.
    Packages {
        /// At the beginning.
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
        /// What was done there.
        delivery: Delivery,
    },
    /// A deployment came to its end.
    Deployed {
        /// What it came to.
        rollout: Rollout,
    },
    /// An older version of the image was deleted, since the plan keeps no more of them.
    Retired {
        /// What it was.
        image: ImageRecord,
    },
    /// An older version that the plan keeps no longer stays all the same.
    Held {
        /// What it is.
        image: ImageRecord,
        /// Who uses it, or what protects it, in words.
        why: String,
    },
    /// Something that `--keep-on-failure` left, and how to reach it.
    Kept {
        /// What it is.
        what: String,
        /// How to reach or remove it.
        hint: String,
    },
    /// Something that could not be removed; sweep will find it.
    #[serde(rename = "left")]
    Orphaned {
        /// What it is.
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
        /// Where the report was written.
        report: Option<PathBuf>,
    },
}

/// Bytes of output that are on their way to the reporters at most, with what holds them. Enough for what a step may print
/// at once ([`BURST`](crate::output::BURST)).
const ROOM: usize = 16 << 20;
/// What is free when another chunk is read from a machine: as much as it can be worth where nothing is left of the burst.
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
