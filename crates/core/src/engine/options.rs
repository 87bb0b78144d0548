//! What the caller of a run passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;

use crate::machine::Keep;
use crate::plan::{ImageKey, Recipe};
use crate::platform::Platform;
use crate::provision::Provisioner;
use crate::version::Bump;

/// The parts that a run is made of.
#[derive(Clone)]
pub struct BakeContext {
    /// The platform of machines and images.
    pub platform: Arc<dyn Platform>,
    /// The images to bake.
    pub recipe: Arc<dyn Recipe>,
    /// Applies steps to machines.
    pub provisioner: Arc<dyn Provisioner>,
}

/// Flags of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bake even when nothing changed.
    pub force: bool,
    /// Build and validate, and make no image.
    pub until_validate: bool,
    /// Keep the machine of a failed bake for a person.
    pub keep_on_failure: Option<Keep>,
    /// The version of all images, whatever the manifest says.
    pub image_version: Option<Version>,
    /// The versions of single images, by the name that messages give them: what a plan decided for each.
    pub image_versions: BTreeMap<String, Version>,
    /// The part that an automatic version raises.
    pub bump: Bump,
    /// Where the run comes from: event, branch, pull request.
    pub context: VersionContext,
}

/// What started the run, as far as the version depends on it (docs/dev/lifecycle.md, "The version").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionContext {
    /// The default branch, a laptop: the only ones that make final versions by themselves.
    #[default]
    Default,
    /// A release or a tag with a version.
    Tag(TaggedVersion),
    /// A pull request.
    PullRequest {
        /// Number of the pull request.
        number: u64,
        /// The head commit.
        sha: String,
    },
    /// Another branch, or code of the default branch that somebody else started a run for.
    Branch {
        /// The run's number.
        run: u64,
    },
    /// A tag that is not a version: refused under `version: release`, else as a branch.
    OtherTag {
        /// Its name.
        tag: String,
        /// The run's number.
        run: u64,
    },
}

/// The version in a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedVersion {
    /// The version.
    pub version: Version,
    /// The image that it is for, by the name that messages give it, or all variants of it. Default: all images.
    pub image: Option<String>,
    /// The tag's name when it has no patch number, such as `v1.4`. It is not a version once another 1.4.x exists.
    pub short: Option<String>,
    /// The run's number, for the images that the tag is not for: they are baked as on a branch.
    pub run: u64,
}

impl TaggedVersion {
    /// True when the tag is for this image.
    pub fn is_for(&self, key: &ImageKey) -> bool {
        self.image.as_ref().is_none_or(|image| *image == key.image || *image == key.to_string())
    }
}
