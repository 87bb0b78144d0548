//! Options that the caller passes in addition to the manifest file.

use std::path::PathBuf;

use ami_bake_core::platform::Capabilities;
use jiff::Timestamp;

use crate::access::VisibleEnv;
use crate::document::ValidateDocument;

/// Everything other than its text that affects how a manifest is evaluated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The value of `--environment`.
    pub environment: Option<String>,
    /// The value of `--platform`.
    pub platform: Option<String>,
    /// The value of `--region`.
    pub region: Option<String>,
    /// The values of `--image`: images, or single variants as `IMAGE-VARIANT`; all if empty. Their base images are
    /// included, unless `alone` is set.
    pub images: Vec<String>,
    /// For operations on existing images: base images of `images` are left out. Their versions differ as soon as one of
    /// them is baked without the other.
    pub alone: bool,
    /// The values of `--set NAME=VALUE`, in order.
    pub sets: Vec<(String, String)>,
    /// The values of `--var-file`, in order.
    pub var_files: Vec<PathBuf>,
    /// The environment, for `env.NAME`, `AMI_BAKE_VAR_NAME` and secrets.
    pub env: VisibleEnv,
    /// The values of `--allow-files`: folders and files that the manifest may refer to, in addition to those of its own
    /// repository.
    pub allow_files: Vec<PathBuf>,
    /// The current time, for `timestamp` and `date`.
    pub now: Timestamp,
    /// The commit to bake.
    pub git: Git,
    /// The workflow run.
    pub github: Github,
    /// The capabilities of the built-in platforms.
    pub capabilities: Vec<Capabilities>,
    /// Validates the documents of `component` steps; `None` skips them.
    pub documents: Option<ValidateDocument>,
    /// True for `check`: nothing is baked, and variables without a value are not an error.
    pub check: bool,
}

/// The commit to bake. Unknown fields are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// Full hash of the commit.
    pub sha: String,
    /// The Git reference, such as `refs/heads/main`.
    pub r#ref: String,
    /// Name of the branch.
    pub branch: String,
    /// Name of the tag that is checked out.
    pub tag: String,
}

/// The workflow run. All fields are empty outside of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Github {
    /// ID of the workflow run.
    pub run_id: String,
    /// The user who started the run.
    pub actor: String,
    /// The repository, `owner/name`.
    pub repository: String,
    /// Number of the pull request.
    pub pr: String,
}
