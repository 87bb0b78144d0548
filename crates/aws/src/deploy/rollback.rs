//! Rolls a group back after a failed instance refresh.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::Refresh;
use ami_bake_core::rollout::RolloutOutcome;
use ami_bake_core::{Error, ErrorKind, Result, Run};

use super::fleet::Fleet;
use super::group::{self, Group, RequestedVersion};
use super::ledger_kinds::{REFRESH, RefreshMark};
use super::refresh::{self, RefreshEnd, StartRefresh};
use super::template::{self, Template};
use crate::client::Client;

/// Time limit for EC2 to stop a refresh: it waits for machines that are being launched.
const STOPPED: Duration = Duration::from_mins(30);

/// The error of a failed deployment, and the outcome for its rollout.
#[derive(Debug)]
pub(super) struct RolloutFailure {
    pub(super) outcome: RolloutOutcome,
    pub(super) error: Error,
}

impl RolloutFailure {
    pub(super) fn new(outcome: RolloutOutcome, error: Error) -> Self {
        Self { outcome, error }
    }
}

/// An instance refresh that has to be rolled back.
pub(super) struct Rollback<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) run: &'a Run,
    pub(super) settings: &'a Refresh,
    /// The template before anything was changed.
    pub(super) template: &'a Template,
    /// The group before anything was changed.
    pub(super) group: &'a Group,
    /// Number of the version that the group used.
    pub(super) from: i64,
    /// The refresh, and the version that it rolls out.
    pub(super) mark: RefreshMark,
    pub(super) id: String,
    /// True when the version was created for this deployment, so it may be deleted.
    pub(super) made: bool,
}

impl Rollback<'_> {
    /// Rolls back after a failed refresh, and returns the resulting failure.
    pub(super) async fn roll_back(&self, end: Result<RefreshEnd>) -> RolloutFailure {
        let group = &self.group.name;
        let failed =
            |why: String| Error::new(ErrorKind::Deploy, format!("the instance refresh of {group} failed {why}"));
        let failure = match end {
            Ok(RefreshEnd::RolledBack(why)) => {
                let why =
                    Error::new(ErrorKind::Deploy, format!("the instance refresh of {group} was rolled back {why}"));
                RolloutFailure::new(RolloutOutcome::RolledBack, why)
            }
            Ok(RefreshEnd::RollbackFailed(why)) => RolloutFailure::new(RolloutOutcome::RollbackFailed, failed(why)),
            Ok(RefreshEnd::Cancelled(why)) => RolloutFailure::new(
                RolloutOutcome::Failed,
                Error::new(ErrorKind::Deploy, format!("somebody else cancelled the instance refresh of {group} {why}"))
                    .help("The refresh was cancelled outside ami-bake; the group was left unchanged."),
            ),
            Ok(RefreshEnd::Failed(why)) => self.undo(failed(why), false).await,
            Ok(RefreshEnd::TimedOut | RefreshEnd::Successful) => {
                let why = Error::new(
                    ErrorKind::Deploy,
                    format!("the instance refresh of {group}: {}", refresh::overdue(self.settings)),
                );
                self.undo(why, true).await
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                return RolloutFailure::new(RolloutOutcome::RollingBack, error);
            }
            Err(error) => self.undo(error, true).await,
        };
        if failure.outcome == RolloutOutcome::RollingBack {
            // The clean-up of the cancelled run continues the rollback.
            return failure;
        }
        let why = if failure.outcome == RolloutOutcome::RolledBack { Closed::Deleted } else { Closed::Kept };
        // If the line can't be written, a sweep checks the group once more.
        self.run.ledger().close_id(REFRESH, &self.id, why);
        failure
    }

    /// Rolls back a refresh that failed, or that is still `active`.
    async fn undo(&self, error: Error, active: bool) -> RolloutFailure {
        if !self.settings.rollback {
            let stopped = if active { refresh::cancel(&self.fleet.client, &self.group.name).await } else { Ok(()) };
            if let Err(refused) = stopped {
                self.run.warn(
                    format!("could not cancel the instance refresh: {refused}"),
                    refused.help_text().map(str::to_owned),
                );
            }
            let help = "`on-failure: stop` leaves the group unchanged; without it, the group is rolled back.";
            return RolloutFailure::new(RolloutOutcome::Failed, error.help(help));
        }
        self.run.progress(format!("Rolling back {} to version {}", self.group.name, self.from));
        match self.undone(active).await {
            Ok(None) => RolloutFailure::new(RolloutOutcome::RolledBack, error),
            Ok(Some(why)) => {
                let help = format!("The rollback failed {why}. See the activities of the group.");
                RolloutFailure::new(RolloutOutcome::RollbackFailed, error.help(help))
            }
            Err(refused) if refused.kind() == ErrorKind::Cancelled => {
                RolloutFailure::new(RolloutOutcome::RollingBack, refused)
            }
            Err(refused) => {
                let help = format!("The rollback failed: {refused}. {}", refused.help_text().unwrap_or_default());
                RolloutFailure::new(RolloutOutcome::RollbackFailed, error.help(help.trim_end()))
            }
        }
    }

    /// Rolls back; `None` when everything is as before, else the reason why not.
    async fn undone(&self, active: bool) -> Result<Option<String>> {
        if active && self.group.is_steady() && refresh::roll_back(&self.fleet.client, &self.group.name).await? {
            return Ok(match refresh::watch(self.fleet, self.run, &self.mark, &self.id, self.settings.wait).await? {
                RefreshEnd::RolledBack(_) => None,
                // The refresh failed before the request arrived: the rest is done without EC2's rollback.
                RefreshEnd::Failed(_) | RefreshEnd::Cancelled(_) => return self.by_hand().await,
                RefreshEnd::Successful => Some("because it had just finished".to_owned()),
                RefreshEnd::RollbackFailed(why) => Some(why),
                RefreshEnd::TimedOut => Some(refresh::overdue(self.settings)),
            });
        }
        if active {
            refresh::cancel(&self.fleet.client, &self.group.name).await?;
            refresh::watch(self.fleet, self.run, &self.mark, &self.id, STOPPED).await?;
        }
        self.by_hand().await
    }

    /// The rollback that EC2 can't do, of a group on `$Default` or `$Latest`: the pointers are restored, then a second
    /// refresh replaces the machines with the new version.
    async fn by_hand(&self) -> Result<Option<String>> {
        let (client, run) = (&*self.fleet.client, self.run);
        let version =
            return_to(client, run, self.group, self.template, self.from, self.mark.version, self.made).await?;
        let Some(now) = group::describe(client, &self.group.name).await? else { return Ok(None) };
        if Group::new(now)?.on(self.mark.version).next().is_none() {
            return Ok(None);
        }
        let mark = RefreshMark { version: self.from, ..self.mark.clone() };
        let back = StartRefresh {
            mark: mark.clone(),
            desired: self.group.with_version(&version),
            settings: self.settings,
            forward: false,
            auto_rollback: false,
        };
        let id = refresh::start(client, run, &back).await?;
        let end = refresh::watch(self.fleet, run, &mark, &id, self.settings.wait).await;
        // This refresh is the rollback, so it must not be undone.
        run.ledger().close_id(REFRESH, &id, Closed::Kept);
        Ok(match end? {
            RefreshEnd::Successful => None,
            RefreshEnd::TimedOut => Some(refresh::overdue(self.settings)),
            RefreshEnd::Failed(why)
            | RefreshEnd::Cancelled(why)
            | RefreshEnd::RolledBack(why)
            | RefreshEnd::RollbackFailed(why) => Some(why),
        })
    }
}

/// Restores what the group follows, and returns the version to request: `$Default` or `$Latest` if it resolves to the
/// old version again, else the number.
pub(super) async fn return_to(
    client: &Client,
    run: &Run,
    group: &Group,
    before: &Template,
    from: i64,
    version: i64,
    made: bool,
) -> Result<String> {
    let follows = group.follows();
    let mut now = template::find(client, &before.id).await?;
    if now.default == version && before.default != version {
        template::set_default(client, before, before.default).await?;
        now.default = before.default;
    }
    if follows == RequestedVersion::Latest && now.latest == version && made {
        template::discard(client, run, &before.id, version).await?;
        now = template::find(client, &before.id).await?;
    }
    if let RequestedVersion::Number(_) = follows {
        return Ok(from.to_string());
    }
    let leads = follows.number(&now);
    if leads == from {
        return Ok(follows.as_version());
    }
    run.warn(
        format!(
            "{} is rolled back to the number of version {from}: {} is now version {leads}",
            group.name,
            follows.as_version()
        ),
        Some("Change it back once that is the version that you want.".to_owned()),
    );
    Ok(from.to_string())
}
