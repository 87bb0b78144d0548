//! What one deployment came to.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// One entry of `deploy`: where it went, what was done, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// What is deployed to, as the manifest names it: the group, else the launch template.
    pub target: String,
    /// The region.
    pub region: Option<String>,
    /// The image's id there, once it is found.
    pub image: Option<String>,
    /// The launch template's id, once it is found.
    pub template: Option<String>,
    /// The template's version that was at work before.
    pub from: Option<u64>,
    /// The template's version with the image.
    pub version: Option<u64>,
    /// The group that is at work now, where it is another than the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How the deployment ended.
    pub outcome: RolloutOutcome,
    /// What was done, in order, each in a few words.
    pub done: Vec<String>,
    /// Why it was not, or not all of it.
    pub failure: Option<Failure>,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutOutcome {
    /// The image is at work.
    Deployed,
    /// It was at work before.
    Unchanged,
    /// Skipped: its `if` is false, or one before it failed.
    Skipped,
    /// It failed, and what was moved stays as it is.
    Failed,
    /// It failed, and everything is as it was before.
    RolledBack,
    /// It was cancelled on the way: the platform goes back, and nobody waits for it.
    RollingBack,
    /// It failed, and so did the rollback: somebody has to look at it.
    RollbackFailed,
}

impl RolloutOutcome {
    /// Name of the outcome in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::RollingBack => "rolling-back",
            Self::RollbackFailed => "rollback-failed",
        }
    }

    /// True when the image is at work, or is not meant to be.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Deployed | Self::Unchanged | Self::Skipped)
    }
}

impl Rollout {
    /// A deployment that counts as skipped until something is done.
    pub fn new(target: impl Into<String>, region: Option<String>) -> Self {
        Self {
            target: target.into(),
            region,
            image: None,
            template: None,
            from: None,
            version: None,
            group: None,
            outcome: RolloutOutcome::Skipped,
            done: Vec::new(),
            failure: None,
        }
    }

    /// Where it goes, in words: `web-production in us-east-1`.
    pub fn place(&self) -> String {
        match &self.region {
            Some(region) => format!("{} in {region}", self.target),
            None => self.target.clone(),
        }
    }
}
