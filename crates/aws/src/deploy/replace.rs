//! Replaces a group with a second one, like Netflix' Asgard ("red/black"): it is started beside the first, gets the
//! traffic once it is healthy, and is deleted if it does not become healthy. The first one is kept for a while,
//! disabled.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::Refresh;
use ami_bake_core::rollout::{Rollout, RolloutOutcome};
use ami_bake_core::{Error, ErrorKind, Result, tags};
use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};

use super::cluster::{DISABLED, REPLACED_BY, REPLACES, mark, members, name_of, next_name, tag, tags_of};
use super::group::{self, Group, is_in_service};
use super::job::Job;
use super::ledger_kinds::{GROUP, GroupMark, line};
use super::remove::{delete, hand_back, remove_expired};
use super::rollback::RolloutFailure;
use super::traffic::{self, Traffic};
use super::{copy, pointers};
use crate::client::Client;
use crate::client::ledger::PLATFORM;
use crate::image::{created, expiring};

/// Age at which sweep may delete an unfinished group.
const LIFETIME: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_secs(2);

/// A replacement in progress.
struct Replacement<'a> {
    job: &'a Job<'a>,
    old: &'a Group,
    next: String,
    settings: &'a Refresh,
    traffic: Traffic,
}

/// Starts a group beside `old` and replaces it; false when the version was in use already.
pub(super) async fn replace(
    job: &Job<'_>,
    old: &Group,
    settings: &Refresh,
    rollout: &mut Rollout,
) -> Result<bool, RolloutFailure> {
    let nothing_moved = |error: Error| {
        let outcome =
            if error.kind() == ErrorKind::Cancelled { RolloutOutcome::RollingBack } else { RolloutOutcome::RolledBack };
        RolloutFailure::new(outcome, error)
    };
    if job.is_there(old) {
        return Ok(false);
    }
    let traffic = Traffic::of(&old.raw).map_err(nothing_moved)?;
    let all = members(job.client(), &old.name).await.map_err(nothing_moved)?;
    let begun = all.iter().find(|group| tags_of(group).get(REPLACES) == Some(&old.name));
    let next = match begun {
        Some(begun) => adopted(job, begun).map_err(nothing_moved)?,
        None => next_name(&old.name, &all.iter().map(name_of).collect::<Vec<_>>()),
    };
    let change = Replacement { job, old, next, settings, traffic };
    let result = change.take_over(begun.is_none(), rollout).await;
    if let Err(error) = result {
        return Err(change.roll_back(error, rollout).await);
    }
    rollout.group = Some(change.next.clone());
    remove_expired(job, &all).await;
    Ok(true)
}

/// A group that an interrupted run created, if it uses the same version.
fn adopted(job: &Job<'_>, begun: &AutoScalingGroup) -> Result<String> {
    let name = name_of(begun).to_owned();
    let group = Group::new(begun.clone())?;
    if group.follows() != group::RequestedVersion::Number(job.version) {
        return Err(Error::new(
            ErrorKind::Deploy,
            format!("{name} is already being created with version {}", group.follows().as_version()),
        )
        .help("Another run is deploying, or was interrupted: `ami-bake sweep` deletes what it left."));
    }
    job.run.progress(format!("Resuming {name} from an earlier run"));
    Ok(name)
}

impl Replacement<'_> {
    fn client(&self) -> &Client {
        self.job.client()
    }

    async fn take_over(&self, new: bool, rollout: &mut Rollout) -> Result<()> {
        let (run, old, next) = (&self.job.run, &self.old.name, &self.next);
        self.create(new).await?;
        copy::furnish(self.client(), run, &self.old.raw, next).await?;
        let size = self.resize().await?;
        rollout.done.push(format!("{next} created like {old}"));
        self.healthy(size).await?;
        if let Some(warmup) = self.settings.warmup {
            let what = format!("the machines of {next} to warm up for {}", human(warmup));
            run.waiting(&what, run.sleep(warmup)).await?;
            self.healthy(size).await?;
        }
        rollout.done.push(format!("{size} machines healthy"));
        if !self.traffic.is_none() {
            traffic::attach(self.client(), next, &self.traffic).await?;
            // A group without machines can't become healthy.
            if size > 0 {
                self.job.run.waiting("the load balancers to report healthy machines", self.flowing()).await?;
                self.healthy(size).await?;
            }
        }
        self.disable().await?;
        // The last check: from here on the old group gets no traffic.
        self.healthy(size).await?;
        if !self.traffic.is_none() {
            rollout.done.push(format!("{} moved to it", self.traffic.in_words()));
        }
        self.finish(rollout).await
    }

    /// Creates the group, or records the one of an earlier run in the ledger.
    async fn create(&self, new: bool) -> Result<()> {
        let (run, next) = (&self.job.run, &self.next);
        let client = self.client();
        run.check()?;
        let entry = GroupMark { group: next.clone(), replaces: self.old.name.clone() };
        let ticket = run.intend(PLATFORM, GROUP, Some(client.region()), &line(&entry))?;
        if new {
            let desired = self.old.with_version(&self.job.version.to_string());
            let made = copy::create(client, &self.old.raw, next, desired, self.tags()).await;
            if let Err(failure) = made {
                // A repeated request meets the group that the first one created.
                let there = failure.is(&["AlreadyExists"]) || failure.unknown();
                if !(there && group::describe(self.client(), next).await?.is_some_and(|group| self.is_ours(&group))) {
                    run.ledger().close(ticket, Closed::Refused);
                    return Err(client.explain(*failure, &format!("create the Auto Scaling group {next}")).await);
                }
            }
        }
        run.ledger().confirm(ticket, next);
        Ok(())
    }

    fn is_ours(&self, group: &AutoScalingGroup) -> bool {
        tags_of(group).get(tags::RUN).map(String::as_str) == Some(self.job.run.id())
    }

    /// The old group's tags, and those that mark the new one until it is in service.
    fn tags(&self) -> Vec<Tag> {
        let plan = self.job.plan;
        let mut ours = created(&self.job.run, &self.next, Some(&plan.namespace), Some(&plan.key), LIFETIME);
        ours.remove("Name");
        ours.insert(REPLACES.to_owned(), self.old.name.clone());
        ours.insert(tags::VERSION.to_owned(), plan.version.to_string());
        let mut all = copy::tags(&self.old.raw, &self.next);
        // The group keeps its own values of tags that the manifest also sets.
        ours.retain(|key, _| key.starts_with("ami-bake:") || !all.iter().any(|tag| tag.key() == Some(key)));
        all.extend(ours.iter().map(|(key, value)| tag(&self.next, key, value)));
        all
    }

    /// Resizes the group to the old one's current size; returns the number of machines.
    async fn resize(&self) -> Result<usize> {
        let old = &self.old.raw;
        let now = group::describe(self.client(), &self.old.name).await?;
        let desired = now.as_ref().unwrap_or(old).desired_capacity().unwrap_or_default();
        let client = self.client();
        let request = client
            .autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(&self.next)
            .set_min_size(old.min_size)
            .set_max_size(old.max_size)
            .desired_capacity(desired);
        let doing = format!("set the size of {} to that of {}", self.next, self.old.name);
        client.call("UpdateAutoScalingGroup", &doing, request.send()).await?;
        Ok(usize::try_from(desired).unwrap_or_default())
    }

    /// Waits until this number of machines is in service.
    async fn healthy(&self, size: usize) -> Result<()> {
        let run = &self.job.run;
        let (begun, limit) = (run.clock().elapsed(), self.settings.wait);
        let mut reported = None;
        let what = format!("the machines of {} to be in service", self.next);
        let wait = self.job.fleet.groups.watch(run, &self.next, &what, limit.saturating_add(PAUSE), |state| {
            let serving = state.iter().flat_map(AutoScalingGroup::instances).filter(|one| is_in_service(one)).count();
            if reported != Some(serving) {
                run.progress(format!("{}: {serving} of {size} machines in service", self.next));
                reported = Some(serving);
            }
            if serving >= size {
                return Some(Ok(()));
            }
            (run.clock().elapsed().saturating_sub(begun) >= limit).then(|| {
                Err(Error::new(
                    ErrorKind::Deploy,
                    format!("{} of {size} machines of {} were in service after {}", serving, self.next, human(limit)),
                )
                .help("See the activities of the group (`aws autoscaling describe-scaling-activities`)."))
            })
        });
        wait.await
    }

    /// Waits until the load balancers send traffic to the new group.
    async fn flowing(&self) -> Result<()> {
        let run = &self.job.run;
        let begun = run.clock().elapsed();
        let elb_health_checks = self.old.raw.health_check_type().is_some_and(|kind| kind.contains("ELB"));
        loop {
            let flows = traffic::flows(self.client(), &self.next, &self.traffic, elb_health_checks);
            if run.until_cancelled(flows).await?? {
                return Ok(());
            }
            if run.clock().elapsed().saturating_sub(begun) >= self.settings.wait {
                return Err(Error::new(
                    ErrorKind::Deploy,
                    format!(
                        "the load balancers report no healthy machine in {} after {}",
                        self.next,
                        human(self.settings.wait)
                    ),
                )
                .help("Check the health checks of its target groups."));
            }
            run.sleep(PAUSE).await?;
        }
    }

    /// Takes the old group out of service: it keeps its machines, but gets no traffic.
    async fn disable(&self) -> Result<()> {
        let (client, old) = (self.client(), &self.old.name);
        let expires = expiring(&self.job.run, self.job.deployment.keep_old);
        let marks = [tag(old, REPLACED_BY, &self.next), tag(old, tags::EXPIRES, &expires)];
        let request = client.autoscaling.create_or_update_tags().set_tags(Some(marks.to_vec()));
        client.call("CreateOrUpdateTags", &format!("mark {old} as replaced"), request.send()).await?;
        let request = client.autoscaling.suspend_processes().auto_scaling_group_name(old);
        let request = request.set_scaling_processes(Some(DISABLED.map(str::to_owned).to_vec()));
        client.call("SuspendProcesses", &format!("disable {old}"), request.send()).await?;
        traffic::detach(self.client(), old, &self.traffic).await
    }

    /// Completes the replacement: removes the new group's expiry.
    async fn finish(&self, rollout: &mut Rollout) -> Result<()> {
        let (client, old, next) = (self.client(), &self.old.name, &self.next);
        let passing = [REPLACES, tags::EXPIRES].map(|key| mark(next, key).build());
        let request = client.autoscaling.delete_tags().set_tags(Some(passing.to_vec()));
        client.call("DeleteTags", &format!("mark {next} as in service"), request.send()).await?;
        self.job.run.ledger().close_id(GROUP, next, Closed::Published);
        // Processes that were suspended in the old group stay suspended in the new one.
        let suspended: Vec<String> =
            self.old.raw.suspended_processes().iter().filter_map(|one| one.process_name.clone()).collect();
        if !suspended.is_empty() {
            let request = client.autoscaling.suspend_processes().auto_scaling_group_name(next);
            let request = request.set_scaling_processes(Some(suspended));
            client
                .call("SuspendProcesses", &format!("suspend processes of {next} as in {old}"), request.send())
                .await?;
        }
        let keep = self.job.deployment.keep_old;
        if keep.is_zero() {
            if self.delete_old().await? {
                rollout.done.push(format!("{old} deleted"));
            }
        } else {
            rollout.done.push(format!("{old} kept disabled for {}", human(keep)));
        }
        let raw = group::describe(client, next).await?;
        if let (Some(raw), group::RequestedVersion::Default) = (raw, self.old.follows()) {
            let next = Group::new(raw)?;
            let now = super::template::find(client, &self.job.current.template.id).await?;
            if now.default == self.job.version {
                pointers::ask_for(client, &next, "$Default").await?;
            }
        }
        Ok(())
    }

    /// Deletes the old group. The new one is in service, so a refusal does not fail the deployment: the entry stays in
    /// the ledger, and the end of the run retries and reports it.
    async fn delete_old(&self) -> Result<bool> {
        let (run, old) = (&self.job.run, &self.old.name);
        let entry = GroupMark { group: old.clone(), replaces: String::new() };
        let ticket = run.intend(PLATFORM, GROUP, Some(self.client().region()), &line(&entry))?;
        run.ledger().confirm(ticket, old);
        match delete(self.client(), old).await {
            Ok(()) => {
                run.ledger().close(ticket, Closed::Deleted);
                Ok(true)
            }
            Err(error) => {
                tracing::debug!(%error, "the old group is deleted at the end of the run");
                Ok(false)
            }
        }
    }

    /// Returns everything to the old group, and deletes the new one.
    async fn roll_back(&self, error: Error, rollout: &mut Rollout) -> RolloutFailure {
        if error.kind() == ErrorKind::Cancelled {
            return RolloutFailure::new(RolloutOutcome::RollingBack, error);
        }
        let (run, old, next) = (&self.job.run, &self.old.name, &self.next);
        if !self.settings.rollback {
            run.ledger().close_id(GROUP, next, Closed::Kept);
            let help =
                format!("`on-failure: stop` keeps {next} beside {old}; `ami-bake sweep` deletes it after a day.");
            return RolloutFailure::new(RolloutOutcome::Failed, error.help(help));
        }
        run.progress(format!("Rolling back to {old}, deleting {next}"));
        match hand_back(self.client(), old, next).await {
            Ok(()) => {
                run.ledger().close_id(GROUP, next, Closed::Deleted);
                rollout.done.push(format!("{next} deleted, {old} in service again"));
                RolloutFailure::new(RolloutOutcome::RolledBack, error)
            }
            Err(refused) => {
                run.ledger().close_id(GROUP, next, Closed::Kept);
                let help = format!("The rollback failed: {refused}. {}", refused.help_text().unwrap_or_default());
                RolloutFailure::new(RolloutOutcome::RollbackFailed, error.help(help.trim_end()))
            }
        }
    }
}
