//! Lowers `deploy` to the plan of core.

use std::time::Duration;

use ami_bake_core::Route;
use ami_bake_core::plan::{Deployment, Refresh, Strategy};

use crate::model::{self, DurationText, Percent, RefreshFailure};

/// Time limit for an instance refresh, without its pauses. A batch typically takes three minutes, ten at worst
/// (docs/dev/aws.md, "Timings").
const WAIT: Duration = Duration::from_hours(1);
/// Default pause at a checkpoint (Auto Scaling API, `CheckpointDelay`).
const PAUSE: Duration = Duration::from_hours(1);
/// Time for which the old group is kept: enough to watch the new one for a day, and to roll back by hand.
const KEEP_OLD: Duration = Duration::from_hours(24);

/// Lowers an entry of `deploy`; `wanted` is the value of its `if`.
pub(crate) fn deployment(entry: &model::Deployment, wanted: bool, route: Route) -> Deployment {
    let refresh = refresh(entry.refresh.as_ref());
    Deployment {
        route,
        wanted,
        template: entry.launch_template.clone(),
        region: entry.region.as_ref().map(|region| region.0.clone()),
        role: entry.role.as_ref().map(|role| role.0.clone()),
        source_version: entry.source_version.clone(),
        set_default: entry.set_default,
        group: entry.auto_scaling_group.clone(),
        strategy: match entry.strategy {
            None | Some(model::Strategy::Refresh) => Strategy::Refresh(refresh),
            Some(model::Strategy::Replace) => Strategy::Replace(refresh),
        },
        keep_old: entry.keep_old.as_ref().and_then(DurationText::duration).unwrap_or(KEEP_OLD),
        keep_versions: entry.keep_versions,
    }
}

fn refresh(refresh: Option<&model::Refresh>) -> Refresh {
    let refresh = refresh.cloned().unwrap_or_default();
    let duration = |text: Option<&DurationText>| text.and_then(DurationText::duration);
    let percent = |percent: Percent| percent.0;
    let mut checkpoints: Vec<u16> = refresh.checkpoints.0.iter().copied().map(percent).collect();
    checkpoints.sort_unstable();
    checkpoints.dedup();
    checkpoints.retain(|point| *point < 100);
    let pause = duration(refresh.pause.as_ref()).unwrap_or(PAUSE);
    let pauses = pause.saturating_mul(u32::try_from(checkpoints.len()).unwrap_or(u32::MAX));
    Refresh {
        min_healthy: refresh.min_healthy.map(percent),
        max_healthy: refresh.max_healthy.map(percent),
        warmup: duration(refresh.warmup.as_ref()),
        wait: duration(refresh.wait.as_ref()).unwrap_or_else(|| WAIT.saturating_add(pauses)),
        checkpoints,
        pause,
        skip_matching: refresh.skip_matching.unwrap_or(true),
        alarms: refresh.alarms,
        rollback: refresh.on_failure != Some(RefreshFailure::Stop),
    }
}
