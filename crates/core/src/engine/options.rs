//! What the caller of a run passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;

use crate::machine::Keep;
use crate::plan::Recipe;
use crate::platform::Platform;
use crate::provision::Provisioner;
use crate::version::Bump;

/// The parts that a run is made of.
#[derive(Clone)]
pub struct BakeContext {
    /// Where machines and images are.
    pub platform: Arc<dyn Platform>,
    /// What is to be baked.
    pub recipe: Arc<dyn Recipe>,
    /// How steps are applied.
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
    /// What an automatic version raises.
    pub bump: Bump,
    /// Where the run comes from.
    pub context: VersionContext,
}

/// What started the run, as far as the version depends on it (docs/dev/lifecycle.md, "The version").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionContext {
    /// The default branch, a schedule, a dispatch, a laptop.
    #[default]
    Default,
    /// A release or a tag with this version.
    Tag(Version),
    /// A pull request.
    PullRequest {
        /// Its number.
        number: u64,
        /// The head commit.
        sha: String,
    },
    /// Another branch.
    Branch {
        /// The run's number.
        run: u64,
    },
}
