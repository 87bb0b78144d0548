//! What is moved to a new image: a template that machines are launched from, and the group of machines that uses it
//! (AWS: launch template and Auto Scaling group).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::route::Route;

/// One entry of the manifest's `deploy`, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Location of the deployment in the manifest.
    pub route: Route,
    /// The truth of its `if`. When false nothing is moved.
    pub wanted: bool,
    /// The template that gets a version with the new image: its id or name.
    pub template: String,
    /// The region; the home region without.
    pub region: Option<String>,
    /// The role to assume; the run's own without.
    pub role: Option<String>,
    /// The version of the template that is copied; the one that the group runs with without.
    pub source_version: Option<String>,
    /// Make the new version the template's default once it is at work; unset: where the group follows the default.
    pub set_default: Option<bool>,
    /// The group that is moved to the new version.
    pub group: Option<String>,
    /// How the group is updated.
    pub strategy: Strategy,
    /// How long the old group stays, with [`Strategy::Replace`].
    pub keep_old: Duration,
    /// How many of the template's versions that ami-bake made are kept; all without.
    pub keep_versions: Option<u32>,
}

/// How a group is updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Its machines are replaced in it, a few at a time.
    Refresh(Refresh),
    /// A second group takes over from it.
    Replace(Refresh),
}

impl Strategy {
    /// The waiting times, for either strategy.
    pub fn settings(&self) -> &Refresh {
        match self {
            Self::Refresh(refresh) | Self::Replace(refresh) => refresh,
        }
    }
}

/// How the machines of a group are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The share of the group, in percent, that stays healthy; the platform's own without.
    pub min_healthy: Option<u16>,
    /// The share of the group, in percent, that it may grow to.
    pub max_healthy: Option<u16>,
    /// How long a new machine is left alone before it counts.
    pub warmup: Option<Duration>,
    /// Time limit of the refresh.
    pub wait: Duration,
    /// Shares, in percent, at which it pauses, in ascending order and without the last, 100.
    pub checkpoints: Vec<u16>,
    /// Pause at each checkpoint.
    pub pause: Duration,
    /// Leave machines that already run with the new version.
    pub skip_matching: bool,
    /// Alarms that stop it.
    pub alarms: Vec<String>,
    /// True when the group goes back to what it ran with on failure.
    pub rollback: bool,
}
