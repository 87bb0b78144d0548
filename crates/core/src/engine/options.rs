//! Inputs of a run: its parts, its flags and the event that started it.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;

use crate::machine::Keep;
use crate::plan::{ImageKey, Recipe};
use crate::platform::Platform;
use crate::provision::Provisioner;
use crate::version::Bump;

/// The components of a run.
#[derive(Clone)]
pub struct BakeContext {
    /// Creates machines and images.
    pub platform: Arc<dyn Platform>,
    /// The images to bake.
    pub recipe: Arc<dyn Recipe>,
    /// Applies steps to machines.
    pub provisioner: Arc<dyn Provisioner>,
}

/// Flags of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bake even if nothing changed.
    pub force: bool,
    /// Build and validate, but make no image.
    pub until_validate: bool,
    /// Keep the machine of a failed bake for debugging.
    pub keep_on_failure: Option<Keep>,
    /// The version of all images; overrides the manifest.
    pub image_version: Option<Version>,
    /// Versions of single images, by the name of the image in messages: those that a plan decided.
    pub image_versions: BTreeMap<String, Version>,
    /// The part of the version that an automatic version raises.
    pub bump: Bump,
    /// What started the run.
    pub context: VersionContext,
}

/// The event that started the run, as far as the version depends on it (docs/dev/lifecycle.md, "The version").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionContext {
    /// The default branch, or a run outside of CI. Only these make final versions by themselves.
    #[default]
    Default,
    /// A release, or a tag that is a version.
    Tag(TaggedVersion),
    /// A pull request.
    PullRequest {
        /// Number of the pull request.
        number: u64,
        /// The head commit.
        sha: String,
    },
    /// Another branch, or code of the default branch in a run that somebody else started.
    Branch {
        /// Number of the run.
        run: u64,
    },
    /// A tag that is not a version: an error with `version: release`, otherwise treated as a branch.
    OtherTag {
        /// Name of the tag.
        tag: String,
        /// Number of the run.
        run: u64,
    },
}

/// The version in a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedVersion {
    /// The version.
    pub version: Version,
    /// The image that the tag is for, by its name in messages, or by its name without the variant for all variants.
    /// Default: all images.
    pub image: Option<String>,
    /// Name of the tag if it has no patch number, such as `v1.4`. It is not a version once another 1.4.x exists.
    pub short: Option<String>,
    /// Number of the run, for the images that the tag is not for: they are baked as on a branch.
    pub run: u64,
}

impl TaggedVersion {
    /// True when the tag is for this image.
    pub fn is_for(&self, key: &ImageKey) -> bool {
        self.image.as_ref().is_none_or(|image| *image == key.image || *image == key.to_string())
    }
}
