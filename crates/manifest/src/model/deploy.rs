//! The manifest's `deploy`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{DurationText, OneOrMany, Percent, Region, RoleArn};

/// A launch template that gets the new image, and the Auto Scaling group that rolls it out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deployment {
    /// An expression; the image is deployed only when it is true. Default: `!version.prerelease`.
    #[serde(default)]
    #[schemars(schema_with = "super::condition")]
    pub r#if: Option<Value>,
    /// The launch template to add a version with the new image to.
    pub launch_template: String,
    /// The region. Default: the home region.
    pub region: Option<Region>,
    /// The IAM role to assume. Default: the role of the bake.
    pub role: Option<RoleArn>,
    /// The template version to copy. Default: the version that the group uses.
    pub source_version: Option<String>,
    /// Make the new version the template's default after a successful deployment. Default: `true` if the group uses
    /// `$Default`, else `false`.
    pub set_default: Option<bool>,
    /// The Auto Scaling group to update to the new version.
    pub auto_scaling_group: Option<String>,
    /// How to update the group. Default: `refresh`.
    pub strategy: Option<Strategy>,
    /// Settings of the instance refresh. With `strategy: replace`, only `warmup` and `wait` are used.
    pub refresh: Option<Refresh>,
    /// How long to keep the old group, with `strategy: replace`. Default: `24h`.
    pub keep_old: Option<DurationText>,
    /// How many of the newest template versions created by ami-bake to keep. The default version and versions that a
    /// group uses are always kept. Default: all. An image counts as in use as long as a template version refers to it,
    /// so retention keeps it too.
    #[schemars(range(min = 1))]
    pub keep_versions: Option<u32>,
}

/// How an Auto Scaling group is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// An instance refresh of the group.
    Refresh,
    /// A second group is created and takes over from the first (red/black).
    Replace,
}

/// Settings of an instance refresh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Refresh {
    /// The percentage of the group that must stay healthy. Default: the group's own policy, else 90.
    pub min_healthy: Option<Percent>,
    /// The percentage of its size that the group may grow to.
    pub max_healthy: Option<Percent>,
    /// How long a new instance warms up before it counts as healthy. Default: the group's own setting.
    pub warmup: Option<DurationText>,
    /// How long the refresh may take. Default: `1h` plus the pauses at checkpoints.
    pub wait: Option<DurationText>,
    /// Percentages of the group at which the refresh pauses.
    pub checkpoints: OneOrMany<Percent>,
    /// How long to pause at each checkpoint. Default: `1h`.
    pub pause: Option<DurationText>,
    /// Skip instances that already use the new version. Default: `true`.
    pub skip_matching: Option<bool>,
    /// CloudWatch alarms that fail the refresh when they fire.
    pub alarms: Vec<String>,
    /// What to do when the refresh fails. Default: `rollback`.
    pub on_failure: Option<RefreshFailure>,
}

/// What to do when a refresh fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshFailure {
    /// Roll the group back.
    Rollback,
    /// Leave the group as it is.
    Stop,
}
