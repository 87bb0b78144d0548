//! The result of one deployment.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// One entry of `deploy`: its target, what was done, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// The target as the manifest names it: the group, else the launch template.
    pub target: String,
    /// Region of the target.
    pub region: Option<String>,
    /// ID of the image in that region, once found.
    pub image: Option<String>,
    /// ID of the launch template, once found.
    pub template: Option<String>,
    /// Version of the template that was in use before.
    pub from: Option<u64>,
    /// Version of the template with the image.
    pub version: Option<u64>,
    /// The group that is in use now, if it is not the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How the deployment ended.
    pub outcome: RolloutOutcome,
    /// Changes that were made, in order, each in a few words.
    pub done: Vec<String>,
    /// Why the deployment was not made, or only in part.
    pub failure: Option<Failure>,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutOutcome {
    /// The image is in use.
    Deployed,
    /// The image was in use before.
    Unchanged,
    /// Skipped: its `if` is false, or an earlier deployment failed.
    Skipped,
    /// The deployment failed; the changes so far stay.
    Failed,
    /// The deployment failed and was rolled back.
    RolledBack,
    /// The deployment was cancelled: the platform rolls back, but the run does not wait for it.
    RollingBack,
    /// The deployment and its rollback failed: manual action is needed.
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

    /// True when the image is in use, or is not meant to be.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Deployed | Self::Unchanged | Self::Skipped)
    }
}

impl Rollout {
    /// A deployment that counts as skipped until it begins.
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

    /// The target for messages: `web-production in us-east-1`.
    pub fn place(&self) -> String {
        match &self.region {
            Some(region) => format!("{} in {region}", self.target),
            None => self.target.clone(),
        }
    }
}
