//! The report as data and as JSON.

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
use crate::plan::{Digest, ImageKey, Phase, Price, ReportedPart, SourceImage};
use crate::rollout::Rollout;

/// Version of the report format; raised when readers of older versions would misread it.
pub const REPORT_FORMAT: u32 = 1;

/// Report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`REPORT_FORMAT`] of the program that wrote the report.
    pub format: u32,
    /// ID of the run.
    pub run: String,
    /// The namespace of the images: the manifest's `name`.
    pub namespace: String,
    /// Name of the platform.
    pub platform: String,
    /// The home region, if the platform has regions.
    pub region: Option<String>,
    /// Start time of the run.
    pub started: Option<Timestamp>,
    /// Duration of the run so far, in seconds.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// The exit code; `None` while the run is in progress, or if it was killed.
    pub exit_code: Option<u8>,
    /// The images, in the order of the plan.
    pub images: Vec<ImageReport>,
    /// The machines, in the order of their start.
    pub machines: Vec<MachineReport>,
    /// Warnings and notes.
    pub warnings: Vec<Notice>,
    /// Resources kept by `--keep-on-failure`.
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
    /// The image waits, or is being baked.
    #[default]
    Pending,
    /// The image was baked, tested and registered.
    Baked,
    /// An image with the same digest and version existed.
    Reused,
    /// An image with the same digest existed and was registered under another version.
    Registered,
    /// The image was built and validated, but not captured (`--until validate`).
    Validated,
    /// An existing image passed the tests (`ami-bake test`).
    Tested,
    /// The image failed.
    Failed,
    /// The bake was not started, because the image's base failed.
    Skipped,
    /// The run was cancelled before the image was finished.
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

    /// True when the image exists, or was not wanted.
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
    /// Key of the image.
    pub key: ImageKey,
    /// Result of the image.
    pub status: Status,
    /// Version of the image, once known.
    pub version: Option<Version>,
    /// Digest of the image, once known.
    pub digest: Option<Digest>,
    /// Source of the image, once found.
    pub source: Option<SourceImage>,
    /// Why the image was baked.
    pub reason: Option<String>,
    /// What its digest is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<ReportedPart>,
    /// The image, if there is one.
    pub image: Option<ImageRecord>,
    /// Results of publishing, per region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Delivery>,
    /// Older versions that were deleted by retention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<ImageRecord>,
    /// Older versions that retention would delete, but that are protected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Superseded>,
    /// Results of its deployments, in the manifest's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed: Vec<Rollout>,
    /// Stages of the image, in the order in which they began.
    pub stages: Vec<StageReport>,
    /// Steps of the image, in the order in which they began.
    pub steps: Vec<StepReport>,
    /// Changes of the installed packages.
    pub packages: Option<PackageChanges>,
    /// The installed packages with their versions, for comparison with a later report; empty if no machine ran. For a
    /// package with several versions (kernels) all of them. Shared, since a report is copied at every event.
    #[serde(default, with = "shared", skip_serializing_if = "shared::is_empty")]
    pub installed: Arc<BTreeMap<String, String>>,
    /// Why the image failed.
    pub failure: Option<Failure>,
    /// Seconds from the begin of the image's first stage to its end.
    #[serde(with = "seconds")]
    pub took: Duration,
}

impl ImageReport {
    /// The report of an image about which nothing is known yet.
    pub(super) fn new(key: ImageKey) -> Self {
        Self {
            name: key.to_string(),
            key,
            status: Status::Pending,
            version: None,
            digest: None,
            source: None,
            reason: None,
            inputs: Vec::new(),
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
    /// Duration of the stage in seconds; `None` if it did not finish.
    #[serde(with = "seconds::maybe")]
    pub took: Option<Duration>,
    /// True when the stage failed.
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
    /// The step failed, and the manifest ignores that.
    Ignored,
}

/// One step of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepReport {
    /// Phase of the step.
    pub phase: Phase,
    /// Index of the step in the phase, from zero.
    pub index: usize,
    /// Name of the step.
    pub name: String,
    /// Number of attempts.
    pub attempts: u32,
    /// Result of the step; `None` if it did not finish.
    pub result: Option<StepResult>,
    /// Duration of all attempts together, in seconds.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// Why the step failed.
    pub failure: Option<Failure>,
    /// The last lines of the last attempt, if it did not pass.
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
    /// Zone and address of the machine, for messages.
    pub place: String,
    /// The image that was baked or tested on it.
    pub image: Option<String>,
    /// Whether the machine was for building or for testing.
    pub phase: Phase,
    /// Running time of the machine in seconds; `None` if its end was not seen.
    #[serde(with = "seconds::maybe")]
    pub ran: Option<Duration>,
    /// Hourly price of the machine in US dollars, if known: the price of spot capacity, or the manifest's `aws.hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<Price>,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// The image that the warning is about.
    pub image: Option<String>,
    /// The warning, as a sentence.
    pub message: String,
    /// Help for the reader.
    pub help: Option<String>,
}

/// A resource other than an image that is left after the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrphanReport {
    /// The image that the resource belongs to.
    pub image: Option<String>,
    /// The resource that was left behind.
    pub what: String,
    /// Why it is left, and how to connect to it or what deletes it.
    pub why: String,
}
