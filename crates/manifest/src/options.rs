//! What the caller knows beside the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ami_bake_core::platform::Capabilities;
use jiff::Timestamp;

use crate::document::JudgeDocument;

/// Everything that decides what a manifest means, beside its text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--environment`
    pub environment: Option<String>,
    /// `--platform`
    pub platform: Option<String>,
    /// `--region`
    pub region: Option<String>,
    /// `--image`: images, or single variants by `IMAGE-VARIANT`; all when empty. What they are built on comes along.
    pub images: Vec<String>,
    /// `--set NAME=VALUE`, in the order given.
    pub sets: Vec<(String, String)>,
    /// `--var-file`, in the order given.
    pub var_files: Vec<PathBuf>,
    /// The process's environment, for `env.NAME` and `AMI_BAKE_VAR_NAME`.
    pub env: BTreeMap<String, String>,
    /// Now, for `timestamp` and `date`.
    pub now: Timestamp,
    /// The commit that is baked.
    pub git: Git,
    /// The workflow run.
    pub github: Github,
    /// What the platforms that are built in can do.
    pub capabilities: Vec<Capabilities>,
    /// Judges the documents of `component` steps; they are not looked into without.
    pub documents: Option<JudgeDocument>,
    /// `check`: variables that are not given yet are no error, and nothing is going to be baked.
    pub check: bool,
}

/// The commit that is baked; empty fields where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// The commit's full hash.
    pub sha: String,
    /// The reference, such as `refs/heads/main`.
    pub r#ref: String,
    /// The branch.
    pub branch: String,
    /// The tag.
    pub tag: String,
}

/// The workflow run; empty fields outside of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Github {
    /// The run's number.
    pub run_id: String,
    /// Who started it.
    pub actor: String,
    /// `owner/name`.
    pub repository: String,
    /// The pull request's number.
    pub pr: String,
}
