//! The plan of one image: its name, settings and steps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{
    ContainerPublish, Deployment, Digest, DigestParts, Distribution, MachineSettings, Phase, ReadInputs, Retention,
    SourceImage, Step, TestConnect,
};
use crate::route::Route;

/// Identifies an image of a manifest and the variant of its matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageKey {
    /// The image's key in the manifest.
    pub image: String,
    /// The matrix values in the manifest's order, joined by `-`; `None` without a matrix.
    // Reports of older versions call this field `leg`.
    #[serde(alias = "leg")]
    pub variant: Option<String>,
}

impl ImageKey {
    /// The key of an image without a matrix.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into(), variant: None }
    }

    /// The key as a host name: letters in lower case, and hyphens for characters that host names can't have
    /// (hostname(7)). Empty when no valid character is left.
    pub fn host_name(&self) -> String {
        /// Maximum length of a host name on Linux.
        const LIMIT: usize = 64;
        let valid = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = self.to_string().chars().map(valid).take(LIMIT).collect();
        name.trim_matches('-').to_owned()
    }
}

impl fmt::Display for ImageKey {
    /// Formats the key as `IMAGE` or `IMAGE-VARIANT`, the name used in every message.
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
    /// EC2's name of the architecture.
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
    /// After proof that the guest is down, without waiting for the platform to report it.
    #[default]
    Halted,
    /// After the platform reports that the machine has stopped.
    Stopped,
    /// While the machine runs, from its frozen file systems.
    Live,
}

/// Things that the seal keeps although it removes them by default.
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

/// Settings of an image other than its steps and its machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSettings {
    /// Things that the seal keeps.
    pub keep: Vec<Keep>,
    /// Globs of files that may contain a private key.
    pub allow: Vec<String>,
    /// How the disk is quiesced.
    pub capture: CaptureMode,
    /// Name of the image. Default: `NAME/IMAGE[-VARIANT]/VERSION`.
    pub name: String,
    /// The image's description.
    pub description: String,
    /// The manifest's own tags for the image and its snapshots.
    pub tags: BTreeMap<String, String>,
    /// `Some(true)`: instances of the image require IMDSv2, which is the default on AWS. `Some(false)`: they do not.
    pub imds_v2: Option<bool>,
    /// Container platforms only: configuration of the image, and the registry to push it to.
    pub container: Option<ContainerPublish>,
    /// Where the image is published after its tests.
    pub distribution: Distribution,
    /// How many older versions are kept once this one is registered.
    pub retention: Retention,
    /// Deployments after publishing.
    pub deployments: Vec<Deployment>,
    /// How the test connects to its machine. Default: like the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_connect: Option<TestConnect>,
}

impl ImageSettings {
    /// True when the image is published beyond the platform's own home: to other regions or a registry.
    pub fn goes_further(&self) -> bool {
        self.container.is_some() || self.distribution.is_needed()
    }
}

/// Everything that the bake of one image needs; all expressions are evaluated.
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
    /// Settings of the build and test machines.
    pub machine: MachineSettings,
    /// Steps that make the image.
    pub build: Vec<Step>,
    /// Steps on the build machine before the capture.
    pub validate: Vec<Step>,
    /// Steps on a fresh machine that booted the image.
    pub test: Vec<Step>,
    /// Settings for seal, capture, name and tags.
    pub settings: ImageSettings,
    /// The version that the image will carry.
    pub version: semver::Version,
    /// Digest of everything that the image is made from.
    pub digest: Digest,
    /// What the digest is made of; empty for an image that exists.
    pub parts: DigestParts,
}

impl ImagePlan {
    /// The plan with the digest and file hashes from reading its local files; steps compare the hashes with what they
    /// send.
    #[must_use]
    pub(super) fn with(mut self, read: &ReadInputs) -> Self {
        for step in self.build.iter_mut().chain(&mut self.validate).chain(&mut self.test) {
            step.inputs = read.inputs.clone();
        }
        Self { digest: read.digest.clone(), parts: read.parts.clone(), ..self }
    }

    /// The machine for the test.
    #[must_use]
    pub fn test_machine(&self) -> MachineSettings {
        let mut machine = self.machine.clone();
        match &self.settings.test_connect {
            None => {}
            Some(TestConnect::None) => {
                let mut ports: Vec<u16> = self.test.iter().filter_map(Step::port).collect();
                ports.sort_unstable();
                ports.dedup();
                machine.connect.outside = Some(ports);
            }
            Some(TestConnect::Login { user, port, key }) => {
                if user.is_some() {
                    machine.user.clone_from(user);
                    machine.other_users.clear();
                }
                machine.connect.port = port.or(machine.connect.port);
                machine.connect.key.clone_from(key);
            }
        }
        machine
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
