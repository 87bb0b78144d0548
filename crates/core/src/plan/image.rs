//! One image of a plan: its name, its settings and its steps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{
    ContainerPublish, Deployment, Digest, Distribution, Inputs, MachineSettings, Phase, Retention, SourceImage, Step,
};
use crate::route::Route;

/// Which image of a manifest, and which variant of its matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageKey {
    /// The image's key in the manifest.
    pub image: String,
    /// The matrix values in the manifest's order, joined by `-`; none without a matrix.
    // Reports of older versions call it `leg`.
    #[serde(alias = "leg")]
    pub variant: Option<String>,
}

impl ImageKey {
    /// An image without a matrix.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into(), variant: None }
    }

    /// The key as a host name: its letters in lower case, and hyphens for characters that a host name can't have
    /// (hostname(7)). Empty when nothing is left.
    pub fn host_name(&self) -> String {
        /// The longest host name on Linux.
        const LIMIT: usize = 64;
        let valid = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = self.to_string().chars().map(valid).take(LIMIT).collect();
        name.trim_matches('-').to_owned()
    }
}

impl fmt::Display for ImageKey {
    /// `IMAGE` or `IMAGE-VARIANT`, the name used in every message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variant {
            Some(variant) => write!(f, "{}-{variant}", self.image),
            None => f.write_str(&self.image),
        }
    }
}

/// A processor architecture, by EC2's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// EC2's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// How the machine is quiesced before its disk is captured (docs/dev/aws.md, "Capture").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureMode {
    /// As soon as it is proven that the guest is down.
    #[default]
    Halted,
    /// When the platform says that the machine is stopped.
    Stopped,
    /// From the live, frozen file systems.
    Live,
}

/// What the seal leaves in place although it would take it out by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Files below `/var/log`.
    Logs,
    /// Shell history.
    History,
    /// `/etc/machine-id`.
    MachineId,
    /// Package managers' caches.
    Caches,
    /// The SSH server's host keys.
    HostKeys,
}

/// Settings of an image that are not steps and not the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSettings {
    /// What the seal keeps.
    pub keep: Vec<Keep>,
    /// Globs of files in which a private key is meant to be.
    pub allow: Vec<String>,
    /// How the disk is quiesced.
    pub capture: CaptureMode,
    /// The image's name; the default is `NAME/IMAGE[-VARIANT]/VERSION`.
    pub name: String,
    /// The image's description.
    pub description: String,
    /// The manifest's own tags for image and snapshots.
    pub tags: BTreeMap<String, String>,
    /// `Some(true)`: instances of the image require IMDSv2, the default on AWS. `Some(false)` leaves it open.
    pub imds_v2: Option<bool>,
    /// On platforms of containers: the image's configuration, and the registry that gets it.
    pub container: Option<ContainerPublish>,
    /// Where the image is published after its tests.
    pub distribution: Distribution,
    /// How many of its versions stay once this one is registered.
    pub retention: Retention,
    /// What to deploy the image to once it is published.
    pub deployments: Vec<Deployment>,
}

impl ImageSettings {
    /// True when there is anything to do beyond the image's own place, once it has its name: regions, a registry.
    pub fn goes_further(&self) -> bool {
        self.container.is_some() || self.distribution.is_needed()
    }
}

/// Everything that a bake of one image needs to know; nothing in it is left to be evaluated.
#[derive(Debug, Clone)]
pub struct ImagePlan {
    /// Image and variant.
    pub key: ImageKey,
    /// The image's location in the manifest.
    pub route: Route,
    /// The namespace of the images: the manifest's `name`.
    pub namespace: String,
    /// The source that was found.
    pub source: SourceImage,
    /// The machine to bake on and to test on.
    pub machine: MachineSettings,
    /// Steps that make the image.
    pub build: Vec<Step>,
    /// Steps on the build machine before the capture.
    pub validate: Vec<Step>,
    /// Steps on a fresh machine that booted the image.
    pub test: Vec<Step>,
    /// Seal, capture, name and tags.
    pub settings: ImageSettings,
    /// The version that the image will carry.
    pub version: semver::Version,
    /// Digest of everything that the image is made from.
    pub digest: Digest,
}

impl ImagePlan {
    /// The plan with what reading its local files gave: the digest, and the hashes that steps compare with what they
    /// send.
    #[must_use]
    pub(super) fn with(mut self, digest: Digest, inputs: &Inputs) -> Self {
        for step in self.build.iter_mut().chain(&mut self.validate).chain(&mut self.test) {
            step.inputs = inputs.clone();
        }
        Self { digest, ..self }
    }

    /// The steps of a phase.
    pub fn steps(&self, phase: Phase) -> &[Step] {
        match phase {
            Phase::Build => &self.build,
            Phase::Validate => &self.validate,
            Phase::Test => &self.test,
        }
    }
}
