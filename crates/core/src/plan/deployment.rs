//! Deployments of an image: the template that machines are launched from, and the group of machines that uses it (AWS:
//! launch template and Auto Scaling group).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::route::Route;

/// One entry of the manifest's `deploy`, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Location of the deployment in the manifest.
    pub route: Route,
    /// Value of its `if`; when false nothing is deployed.
    pub wanted: bool,
    /// ID or name of the template that gets a version with the new image.
    pub template: String,
    /// Region. Default: the home region.
    pub region: Option<String>,
    /// Role to assume. Default: the run's own credentials.
    pub role: Option<String>,
    /// Version of the template to copy. Default: the version that the group uses.
    pub source_version: Option<String>,
    /// Make the new version the template's default once it is in use. Default: true if the group uses the default
    /// version.
    pub set_default: Option<bool>,
    /// The group to move to the new version.
    pub group: Option<String>,
    /// How the group is updated.
    pub strategy: Strategy,
    /// How long the old group is kept, with [`Strategy::Replace`].
    pub keep_old: Duration,
    /// Number of the template's versions made by ami-bake to keep. Default: all.
    pub keep_versions: Option<u32>,
}

/// How a group is updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Machines are replaced within the group, a few at a time.
    Refresh(Refresh),
    /// A second group replaces the first.
    Replace(Refresh),
}

impl Strategy {
    /// The refresh settings, for either strategy.
    pub fn settings(&self) -> &Refresh {
        match self {
            Self::Refresh(refresh) | Self::Replace(refresh) => refresh,
        }
    }
}

/// How the machines of a group are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Percentage of the group that stays healthy. Default: the platform's own.
    pub min_healthy: Option<u16>,
    /// Percentage that the group may grow to.
    pub max_healthy: Option<u16>,
    /// Time before a new machine counts as healthy.
    pub warmup: Option<Duration>,
    /// Time limit of the refresh.
    pub wait: Duration,
    /// Percentages at which the refresh pauses, ascending and without the final 100.
    pub checkpoints: Vec<u16>,
    /// Pause at each checkpoint.
    pub pause: Duration,
    /// Leave machines that already run the new version.
    pub skip_matching: bool,
    /// Alarms that stop the refresh.
    pub alarms: Vec<String>,
    /// True to return to the previous version on failure.
    pub rollback: bool,
}
