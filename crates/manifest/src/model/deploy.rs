//! What is moved to a new image.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{DurationText, OneOrMany, Percent, Region, RoleArn};

/// A launch template, and the Auto Scaling group that is moved to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deployment {
    /// An expression: deployed when it is true. Default: `!version.prerelease`.
    #[serde(default)]
    #[schemars(schema_with = "super::image::condition")]
    pub r#if: Option<Value>,
    /// The launch template that gets a version with the new image.
    pub launch_template: String,
    /// The region; the home region without.
    pub region: Option<Region>,
    /// The role to assume; the bake's own without.
    pub role: Option<RoleArn>,
    /// The version of the template that is copied. Default: the one that the group runs with.
    pub source_version: Option<String>,
    /// Make the new version the default when the deployment succeeded. Default: where the group follows `$Default`.
    pub set_default: Option<bool>,
    /// The Auto Scaling group that is moved to the new version.
    pub auto_scaling_group: Option<String>,
    /// How the group is moved. Default: `refresh`.
    pub strategy: Option<Strategy>,
    /// How an instance refresh goes; of `strategy: replace` it gives `warmup` and `wait`.
    pub refresh: Option<Refresh>,
    /// How long the old group stays, with `strategy: replace`. Default: `24h`.
    pub keep_old: Option<DurationText>,
    /// How many of the template's versions that ami-bake made are kept, from the newest on. The default version and what a
    /// group asks for or runs with stay besides. Without it all are kept, and so are their images, since they are in use.
    #[schemars(range(min = 1))]
    pub keep_versions: Option<u32>,
}

/// How a group is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// An instance refresh inside of the group.
    Refresh,
    /// A second group takes over from the first.
    Replace,
}

/// How an instance refresh goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Refresh {
    /// The share of the group, in percent, that stays healthy.
    pub min_healthy: Option<Percent>,
    /// The share of the group, in percent, that it may grow to.
    pub max_healthy: Option<Percent>,
    /// How long a new instance is left alone before it counts.
    pub warmup: Option<DurationText>,
    /// How long the refresh may take. Default: `1h` and the pauses.
    pub wait: Option<DurationText>,
    /// Shares, in percent, at which the refresh pauses.
    pub checkpoints: OneOrMany<Percent>,
    /// How long it pauses at each. Default: `1h`.
    pub pause: Option<DurationText>,
    /// Leave instances that already run with the new version. Default: `true`.
    pub skip_matching: Option<bool>,
    /// CloudWatch alarms that stop the refresh.
    pub alarms: Vec<String>,
    /// What happens when it fails. Default: `rollback`.
    pub on_failure: Option<RefreshFailure>,
}

/// What happens when a refresh fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshFailure {
    /// The group goes back to what it ran with.
    Rollback,
    /// The group stays as it is.
    Stop,
}
