//! The report as data, and as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::packages::PackageChanges;
use super::{seconds, shared};
use crate::delivery::Delivery;
use crate::event::Stage;
use crate::failure::Failure;
use crate::image::{ImageRecord, Superseded};
use crate::plan::{Digest, ImageKey, Phase, Price, SourceImage};
use crate::rollout::Rollout;

/// The version of the report's format; raised when a reader of older reports would misread it.
pub const REPORT_FORMAT: u32 = 1;

/// Report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`REPORT_FORMAT`] of the writer.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// The namespace of the images: the manifest's `name`.
    pub namespace: String,
    /// The platform.
    pub platform: String,
    /// The home region, where the platform has regions.
    pub region: Option<String>,
    /// Start time of the run.
    pub started: Option<Timestamp>,
    /// Duration of the run so far, in seconds.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// The exit code; none as long as the run goes on, or when it was killed.
    pub exit_code: Option<u8>,
    /// The images, in the order of the plan.
    pub images: Vec<ImageReport>,
    /// The machines, in the order of their start.
    pub machines: Vec<MachineReport>,
    /// Warnings and notes.
    pub warnings: Vec<Notice>,
    /// What `--keep-on-failure` kept.
    pub kept: Vec<OrphanReport>,
    /// Resources that could not be deleted.
    pub left: Vec<OrphanReport>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            format: REPORT_FORMAT,
            run: String::new(),
            namespace: String::new(),
            platform: String::new(),
            region: None,
            started: None,
            took: Duration::ZERO,
            exit_code: None,
            images: Vec::new(),
            machines: Vec::new(),
            warnings: Vec::new(),
            kept: Vec::new(),
            left: Vec::new(),
        }
    }
}

/// Result of one image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It waits, or is being baked.
    #[default]
    Pending,
    /// It was baked, tested and registered.
    Baked,
    /// It was there with the same digest and version.
    Reused,
    /// It was there with the same digest and was registered under another version.
    Registered,
    /// It was built and validated, and no image was asked for (`--until validate`).
    Validated,
    /// It was there and passed the tests that were run on it (`ami-bake test`).
    Tested,
    /// The image failed.
    Failed,
    /// It was not begun, because what it is built on failed.
    Skipped,
    /// The run was cancelled before it was done.
    Cancelled,
}

impl Status {
    /// Name of the status in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Baked => "baked",
            Self::Reused => "reused",
            Self::Registered => "registered",
            Self::Validated => "validated",
            Self::Tested => "tested",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// True when the image is there, or is not wanted.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Baked | Self::Reused | Self::Registered | Self::Validated | Self::Tested)
    }
}

/// One image of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageReport {
    /// Image and variant as in messages: `IMAGE` or `IMAGE-VARIANT`.
    pub name: String,
    /// Image and variant.
    pub key: ImageKey,
    /// Result of the image.
    pub status: Status,
    /// Its version, once known.
    pub version: Option<Version>,
    /// Its digest, once known.
    pub digest: Option<Digest>,
    /// Its source, once found.
    pub source: Option<SourceImage>,
    /// Why the image was baked.
    pub reason: Option<String>,
    /// The image, where there is one.
    pub image: Option<ImageRecord>,
    /// Results of publishing, per region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Delivery>,
    /// Older versions of it that were deleted, since no more of them are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<ImageRecord>,
    /// Older versions of it that the retention rule would delete, but that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Superseded>,
    /// What its deployments came to, in the manifest's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed: Vec<Rollout>,
    /// Its stages, in the order in which they began.
    pub stages: Vec<StageReport>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepReport>,
    /// Changes of the installed packages.
    pub packages: Option<PackageChanges>,
    /// The installed packages with their versions, for a later report to compare with; empty where no machine ran. Of a
    /// package that is there in several versions (kernels), all of them. Shared, since a report is copied at every
    /// event.
    #[serde(default, with = "shared", skip_serializing_if = "shared::is_empty")]
    pub installed: Arc<BTreeMap<String, String>>,
    /// Why the image failed.
    pub failure: Option<Failure>,
    /// From the begin of its first stage to its end, in seconds.
    #[serde(with = "seconds")]
    pub took: Duration,
}

impl ImageReport {
    /// An image of which nothing is known yet.
    pub(super) fn new(key: ImageKey) -> Self {
        Self {
            name: key.to_string(),
            key,
            status: Status::Pending,
            version: None,
            digest: None,
            source: None,
            reason: None,
            image: None,
            published: Vec::new(),
            retired: Vec::new(),
            deployed: Vec::new(),
            held: Vec::new(),
            stages: Vec::new(),
            steps: Vec::new(),
            packages: None,
            installed: Arc::default(),
            failure: None,
            took: Duration::ZERO,
        }
    }
}

/// One stage of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// Start of the stage, in seconds since the run began.
    #[serde(with = "seconds")]
    pub begin: Duration,
    /// How long it took, in seconds; none if it did not finish.
    #[serde(with = "seconds::maybe")]
    pub took: Option<Duration>,
    /// True when it failed.
    pub failed: bool,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// The step passed.
    Passed,
    /// The step failed.
    Failed,
    /// It failed, and the manifest says to ignore that.
    Ignored,
}

/// One step of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepReport {
    /// Phase of the step.
    pub phase: Phase,
    /// Its index in the phase, from zero.
    pub index: usize,
    /// Name of the step.
    pub name: String,
    /// Number of attempts.
    pub attempts: u32,
    /// How it ended; none if it did not finish.
    pub result: Option<StepResult>,
    /// Duration of all attempts together, in seconds.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// Why the step failed.
    pub failure: Option<Failure>,
    /// The last lines that its last attempt printed, where it did not pass.
    pub log: Vec<String>,
}

/// One machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineReport {
    /// ID of the machine.
    pub id: String,
    /// Type of the machine.
    pub kind: String,
    /// Where: zone and address, in words.
    pub place: String,
    /// The image that was baked or tested on it.
    pub image: Option<String>,
    /// Whether the machine was for building or for testing.
    pub phase: Phase,
    /// How long it ran, in seconds; none when its end was not seen.
    #[serde(with = "seconds::maybe")]
    pub ran: Option<Duration>,
    /// What it costs an hour in US dollars, where that is known: the price of spot capacity, or the manifest's
    /// `aws.hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<Price>,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// The image that it is about.
    pub image: Option<String>,
    /// The notice, as a sentence.
    pub message: String,
    /// Help for the reader.
    pub help: Option<String>,
}

/// Something other than an image that remains after the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrphanReport {
    /// The image that it belongs to.
    pub image: Option<String>,
    /// The resource that was left behind.
    pub what: String,
    /// Why it remains, and how to reach it or what deletes it.
    pub why: String,
}
