//! What the caller passes in addition to the manifest file.

use std::path::PathBuf;

use ami_bake_core::platform::Capabilities;
use jiff::Timestamp;

use crate::access::VisibleEnv;
use crate::document::ValidateDocument;

/// Everything that affects how a manifest is evaluated, apart from its text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--environment`
    pub environment: Option<String>,
    /// `--platform`
    pub platform: Option<String>,
    /// `--region`
    pub region: Option<String>,
    /// `--image`: images, or single variants as `IMAGE-VARIANT`; all if empty. Images that they are built on are
    /// included, unless `alone`.
    pub images: Vec<String>,
    /// For what is done with images that exist: those that `images` are built on are left alone. Their versions differ as
    /// soon as one of them is baked without the other.
    pub alone: bool,
    /// `--set NAME=VALUE`, in the order given.
    pub sets: Vec<(String, String)>,
    /// `--var-file`, in the order given.
    pub var_files: Vec<PathBuf>,
    /// The environment, for `env.NAME`, `AMI_BAKE_VAR_NAME` and secrets.
    pub env: VisibleEnv,
    /// `--allow-files`: folders and files that the manifest may name beside those of its own repository.
    pub allow_files: Vec<PathBuf>,
    /// The current time, for `timestamp` and `date`.
    pub now: Timestamp,
    /// The commit that is baked.
    pub git: Git,
    /// The workflow run.
    pub github: Github,
    /// The capabilities of the platforms that are built in.
    pub capabilities: Vec<Capabilities>,
    /// Validates the documents of `component` steps. `None`: they are not checked.
    pub documents: Option<ValidateDocument>,
    /// For `check`: nothing is baked, and variables without a value are not an error.
    pub check: bool,
}

/// The commit that is baked. Fields without a value are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// The commit's full hash.
    pub sha: String,
    /// The reference, such as `refs/heads/main`.
    pub r#ref: String,
    /// The branch.
    pub branch: String,
    /// The tag that is checked out.
    pub tag: String,
}

/// The workflow run. All fields are empty outside of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Github {
    /// The run's number.
    pub run_id: String,
    /// The user who started the run.
    pub actor: String,
    /// `owner/name`.
    pub repository: String,
    /// The pull request's number.
    pub pr: String,
}
