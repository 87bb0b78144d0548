//! Instance refreshes: started with a fixed version number, and watched to their end.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::Refresh;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use aws_sdk_autoscaling::config::Builder;
use aws_sdk_autoscaling::config::retry::RetryConfig;
use aws_sdk_autoscaling::primitives::DateTime;
use aws_sdk_autoscaling::types::{
    AlarmSpecification, DesiredConfiguration, InstanceRefresh, InstanceRefreshStatus as Status, MixedInstancesPolicy,
    RefreshPreferences, RefreshStrategy, RollbackDetails,
};
use jiff::Timestamp;

use super::fleet::{Fleet, key};
use super::ledger_kinds::{REFRESH, RefreshMark, line};
use crate::client::ledger::PLATFORM;
use crate::client::{Client, MissingTimer, create_once};

/// EC2's default for the healthy percentage (Auto Scaling API, RefreshPreferences).
const MIN_HEALTHY: u16 = 90;
/// Time limit for a rollback or cancellation, in addition to the time of the refresh.
const BACK: Duration = Duration::from_hours(2);
/// Seconds by which this computer's clock may be ahead of AWS's; a larger difference is reported.
const CLOCKS: i64 = 240;

/// How a refresh ended, with EC2's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RefreshEnd {
    Successful,
    Failed(String),
    Cancelled(String),
    RolledBack(String),
    RollbackFailed(String),
    /// The refresh is still in progress.
    TimedOut,
}

/// Parameters of a new refresh.
pub(super) struct StartRefresh<'a> {
    pub(super) mark: RefreshMark,
    pub(super) desired: DesiredConfiguration,
    pub(super) settings: &'a Refresh,
    /// True for a deployment; false for a rollback, which has no checkpoints and no alarms.
    pub(super) forward: bool,
    /// True to let EC2 roll back automatically.
    pub(super) auto_rollback: bool,
}

impl StartRefresh<'_> {
    fn preferences(&self) -> RefreshPreferences {
        let settings = self.settings;
        let percent = |value: Option<u16>| value.map(i32::from);
        let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        let least = settings.min_healthy.or(settings.max_healthy.map(|_| MIN_HEALTHY));
        let mut preferences = RefreshPreferences::builder()
            .set_min_healthy_percentage(percent(least))
            .set_max_healthy_percentage(percent(settings.max_healthy))
            .set_instance_warmup(settings.warmup.map(seconds))
            .skip_matching(settings.skip_matching || !self.forward);
        if self.auto_rollback {
            preferences = preferences.auto_rollback(true);
        }
        if self.forward && !settings.checkpoints.is_empty() {
            // Without the final 100 the rest of the group would never be replaced.
            let points = settings.checkpoints.iter().copied().chain([100]).map(i32::from).collect();
            preferences =
                preferences.set_checkpoint_percentages(Some(points)).checkpoint_delay(seconds(settings.pause));
        }
        if self.forward && !settings.alarms.is_empty() {
            let alarms = AlarmSpecification::builder().set_alarms(Some(settings.alarms.clone())).build();
            preferences = preferences.alarm_specification(alarms);
        }
        preferences.build()
    }
}

/// The refresh in progress in a group.
pub(super) async fn active(client: &Client, group: &str) -> Result<Option<InstanceRefresh>> {
    let request = client.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).max_records(10);
    let doing = format!("look for an instance refresh of {group}");
    let answer = client.call("DescribeInstanceRefreshes", &doing, request.send()).await?;
    Ok(answer.instance_refreshes.unwrap_or_default().into_iter().find(is_active))
}

/// The latest refresh to a version that is in progress or began since then: a small group can be done before anybody
/// looks.
async fn started(
    client: &Client,
    group: &str,
    version: Option<&str>,
    since: Timestamp,
) -> Result<Option<InstanceRefresh>> {
    let request = client.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).max_records(10);
    let doing = format!("look for an instance refresh of {group}");
    let answer = client.call("DescribeInstanceRefreshes", &doing, request.send()).await?;
    let since = since.as_second() - CLOCKS;
    let recent = |one: &InstanceRefresh| one.start_time().is_some_and(|began| began.secs() >= since);
    let ours = answer.instance_refreshes.unwrap_or_default().into_iter();
    let ours = ours.filter(|one| brings(one) == version && (is_active(one) || recent(one)));
    Ok(ours.max_by_key(|one| (is_active(one), one.start_time().map(DateTime::secs))))
}

/// A refresh by its ID; `None` if it is not known.
pub(super) async fn by_id(client: &Client, group: &str, id: &str) -> Result<Option<InstanceRefresh>> {
    let request =
        client.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).instance_refresh_ids(id);
    let doing = format!("look up the instance refresh of {group}");
    match client.ask("DescribeInstanceRefreshes", request.send()).await {
        Ok(answer) => Ok(answer.instance_refreshes.unwrap_or_default().pop()),
        // The group was deleted, and its refreshes with it.
        Err(failure) if failure.is(&["ValidationError"]) => Ok(None),
        Err(failure) => Err(client.explain(*failure, &doing).await),
    }
}

pub(super) fn is_active(refresh: &InstanceRefresh) -> bool {
    matches!(
        refresh.status(),
        Some(Status::Pending | Status::InProgress | Status::Baking | Status::Cancelling | Status::RollbackInProgress)
    )
}

/// The version that a refresh rolls out, as it was requested.
pub(super) fn brings(refresh: &InstanceRefresh) -> Option<&str> {
    let desired = refresh.desired_configuration()?;
    let policy = desired.mixed_instances_policy().and_then(MixedInstancesPolicy::launch_template);
    let one = match policy {
        Some(template) => template.launch_template_specification(),
        None => desired.launch_template(),
    };
    one?.version()
}

/// Starts a refresh. It is in the ledger until it has ended.
pub(super) async fn start(client: &Client, run: &Run, start: &StartRefresh<'_>) -> Result<String> {
    let group = &start.mark.group;
    let doing = format!("start an instance refresh of {group}");
    run.check()?;
    let began = run.clock().now();
    let ticket = run.intend(PLATFORM, REFRESH, Some(client.region()), &line(&start.mark))?;
    let version = wanted(&start.desired);
    let find = async || {
        let ours = started(client, group, version.as_deref(), began).await?;
        Ok(ours.map(|one| one.instance_refresh_id.unwrap_or_default()))
    };
    // A refresh that is repeated after its end would replace every machine once more.
    let send = async || {
        let request = client
            .autoscaling
            .start_instance_refresh()
            .auto_scaling_group_name(group)
            .strategy(RefreshStrategy::Rolling)
            .desired_configuration(start.desired.clone())
            .preferences(start.preferences())
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        let answer = client.ask("StartInstanceRefresh", request.send()).await?;
        Ok(answer.instance_refresh_id.unwrap_or_default())
    };
    let id = match create_once(run, &doing, send, find).await {
        Ok(id) => id,
        // A lost answer, or a call that met a refresh: a group never has more than one.
        Err(failure) if failure.unknown() || failure.is(&["InstanceRefreshInProgress"]) => match find().await? {
            Some(ours) => ours,
            None => return Err(client.not_created(run, ticket, *failure, &doing).await),
        },
        Err(failure) => {
            run.ledger().close(ticket, Closed::Refused);
            return Err(client.explain(*failure, &doing).await);
        }
    };
    run.ledger().confirm(ticket, &id);
    Ok(id)
}

/// The version in a desired configuration.
fn wanted(desired: &DesiredConfiguration) -> Option<String> {
    let refresh = InstanceRefresh::builder().desired_configuration(desired.clone()).build();
    brings(&refresh).map(str::to_owned)
}

/// Records a refresh that an earlier run started in the ledger.
pub(super) fn adopt(client: &Client, run: &Run, mark: &RefreshMark, id: &str) -> Result<()> {
    let ticket = run.intend(PLATFORM, REFRESH, Some(client.region()), &line(mark))?;
    run.ledger().confirm(ticket, id);
    Ok(())
}

/// Watches a refresh until it ends or `limit` is reached, and emits its progress.
pub(super) async fn watch(
    fleet: &Fleet,
    run: &Run,
    mark: &RefreshMark,
    id: &str,
    limit: Duration,
) -> Result<RefreshEnd> {
    let begun = run.clock().elapsed();
    let mut reported = String::new();
    let mut missing = MissingTimer::new(fleet.client.clock(), format!("the instance refresh {id} of {}", mark.group));
    fleet
        .refreshes
        .watch(
            run,
            &key(&mark.group, id),
            &format!("the instance refresh {id} of {}", mark.group),
            limit.saturating_add(BACK),
            |state| {
                let Some(refresh) = state else { return missing.missing() };
                missing.seen();
                let progress = progress(&refresh, mark);
                if progress != reported {
                    run.progress(progress.clone());
                    reported = progress;
                }
                let why = || reason(&refresh);
                match refresh.status() {
                    Some(Status::Successful) => Some(Ok(RefreshEnd::Successful)),
                    Some(Status::Failed) => Some(Ok(RefreshEnd::Failed(why()))),
                    Some(Status::Cancelled) => Some(Ok(RefreshEnd::Cancelled(why()))),
                    Some(Status::RollbackSuccessful) => Some(Ok(RefreshEnd::RolledBack(why()))),
                    Some(Status::RollbackFailed) => Some(Ok(RefreshEnd::RollbackFailed(why()))),
                    Some(Status::Cancelling | Status::RollbackInProgress) => None,
                    _ => (run.clock().elapsed().saturating_sub(begun) >= limit).then_some(Ok(RefreshEnd::TimedOut)),
                }
            },
        )
        .await
}

/// Progress for messages: "web: 40% on version 8, 3 machines to go".
fn progress(refresh: &InstanceRefresh, mark: &RefreshMark) -> String {
    let group = &mark.group;
    if let Some(Status::RollbackInProgress) = refresh.status() {
        let left = refresh.instances_to_update().unwrap_or_default();
        return format!("Rolling back {group}: {left} machines left");
    }
    if let Some(Status::Cancelling) = refresh.status() {
        return format!("Cancelling the instance refresh of {group}");
    }
    let percent = refresh.percentage_complete().unwrap_or_default();
    let left = match refresh.instances_to_update() {
        Some(left) if left > 0 => format!(", {left} machines left"),
        _ => String::new(),
    };
    let version = brings(refresh).map_or_else(|| mark.version.to_string(), str::to_owned);
    let reason =
        refresh.status_reason().map(|reason| format!(" ({})", reason.trim_end_matches('.'))).unwrap_or_default();
    format!("{group}: {percent}% on version {version}{left}{reason}")
}

/// Progress of the refresh, and EC2's status reason.
fn reason(refresh: &InstanceRefresh) -> String {
    let rollback = refresh.rollback_details();
    let percent = rollback.and_then(RollbackDetails::percentage_complete_on_rollback);
    let percent = percent.or(refresh.percentage_complete()).unwrap_or_default();
    let begun = rollback.and_then(|details| details.rollback_reason());
    let said = refresh.status_reason().filter(|said| Some(*said) != begun);
    let texts: Vec<&str> = begun.into_iter().chain(said).map(|text| text.trim_end_matches('.')).collect();
    let text = if texts.is_empty() { "EC2 gave no reason".to_owned() } else { texts.join("; ") };
    format!("at {percent}%: {text}")
}

/// Starts EC2's own rollback of the refresh.
///
/// # Errors
/// When the call is refused. `Ok(false)` means that EC2 can't roll this group back by itself.
pub(super) async fn roll_back(client: &Client, group: &str) -> Result<bool> {
    let request = client.autoscaling.rollback_instance_refresh().auto_scaling_group_name(group);
    match client.ask("RollbackInstanceRefresh", request.send()).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.is(&["IrreversibleInstanceRefresh"]) => Ok(false),
        // The refresh ended meanwhile: the watcher sees how.
        Err(failure) if failure.is(&["ActiveInstanceRefreshNotFound"]) => Ok(true),
        Err(failure) => Err(client.explain(*failure, &format!("roll back the instance refresh of {group}")).await),
    }
}

/// Cancels a refresh, leaving the group as it is.
pub(super) async fn cancel(client: &Client, group: &str) -> Result<()> {
    let request = client.autoscaling.cancel_instance_refresh().auto_scaling_group_name(group);
    match client.ask("CancelInstanceRefresh", request.send()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(&["ActiveInstanceRefreshNotFound"]) => Ok(()),
        Err(failure) => Err(client.explain(*failure, &format!("cancel the instance refresh of {group}")).await),
    }
}

/// The error when another refresh is in progress in the group.
pub(super) fn busy(group: &str, other: &InstanceRefresh) -> Error {
    let id = other.instance_refresh_id().unwrap_or_default();
    let status = other.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    let version = brings(other).map(|version| format!(" to version {version}")).unwrap_or_default();
    let percent = other.percentage_complete().unwrap_or_default();
    Error::new(
        ErrorKind::Deploy,
        format!("another instance refresh of {group}{version} is in progress ({id}, {status}, {percent}%)"),
    )
    .help("Somebody or something else changes the group. Wait until it ends, or run `aws autoscaling cancel-instance-refresh`.")
}

/// The message when a refresh exceeds its time limit.
pub(super) fn overdue(settings: &Refresh) -> String {
    format!("not finished after {} (`refresh.wait`)", human(settings.wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Refresh {
        Refresh {
            min_healthy: None,
            max_healthy: Some(150),
            warmup: Some(Duration::from_mins(1)),
            wait: Duration::from_hours(1),
            checkpoints: vec![20, 50],
            pause: Duration::from_mins(10),
            skip_matching: false,
            alarms: vec!["web-5xx".to_owned()],
            rollback: true,
        }
    }

    fn preferences(forward: bool) -> RefreshPreferences {
        let settings = settings();
        let mark = RefreshMark { group: "web".into(), template: "lt-1".into(), version: 8 };
        let desired = DesiredConfiguration::builder().build();
        StartRefresh { mark, desired, settings: &settings, forward, auto_rollback: forward }.preferences()
    }

    #[test]
    fn checkpoints_end_with_the_whole_group() {
        let there = preferences(true);
        assert_eq!((there.checkpoint_percentages(), there.checkpoint_delay()), (&[20, 50, 100][..], Some(600)));
        assert_eq!((there.min_healthy_percentage(), there.max_healthy_percentage()), (Some(90), Some(150)));
        assert_eq!((there.skip_matching(), there.auto_rollback()), (Some(false), Some(true)));
        assert_eq!(there.alarm_specification().unwrap().alarms(), ["web-5xx"]);
    }

    #[test]
    fn the_way_back_neither_pauses_nor_asks_alarms() {
        let back = preferences(false);
        assert!(back.checkpoint_percentages().is_empty() && back.alarm_specification().is_none());
        assert_eq!((back.skip_matching(), back.instance_warmup()), (Some(true), Some(60)));
    }

    #[test]
    fn the_reason_says_how_far_it_came() {
        let rollback = RollbackDetails::builder().percentage_complete_on_rollback(40).rollback_reason("An alarm rang.");
        let refresh = InstanceRefresh::builder()
            .status(Status::RollbackFailed)
            .percentage_complete(10)
            .status_reason("Launches fail.")
            .rollback_details(rollback.build());
        assert_eq!(reason(&refresh.build()), "at 40%: An alarm rang; Launches fail");
    }
}
