//! A second group takes over from the first, as Netflix' Asgard did it ("red/black"): brought up beside it, given the traffic once it
//! is healthy, and gone again when it does not get there. The first one stays for a while, disabled.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::plan::Refresh;
use ami_bake_core::platform::Undo;
use ami_bake_core::poll::human;
use ami_bake_core::rollout::{Outcome, Rollout};
use ami_bake_core::{Error, Kind, Result, tags};
use aws_sdk_autoscaling::types::builders::TagBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};
use jiff::Timestamp;

use super::back::Bad;
use super::entry::{GROUP, GroupMark, line};
use super::group::{self, Group, is_in_service};
use super::job::Job;
use super::traffic::{self, Traffic};
use super::{copy, pointers};
use crate::machine::{created, expiring};
use crate::platform::{Inner, PLATFORM};

/// Which group a new one takes over from; gone once it did.
const REPLACES: &str = "ami-bake:replaces";
/// Which group took over from this one.
const REPLACED_BY: &str = "ami-bake:replaced-by";
/// What a group does no more while it is kept: Asgard's three.
const DISABLED: [&str; 3] = ["Launch", "Terminate", "AddToLoadBalancer"];
/// When sweep may take a group that was not finished.
const LIFETIME: Duration = Duration::from_hours(24);
/// Numbers after which it begins anew.
const NUMBERS: u32 = 1000;
const PAUSE: Duration = Duration::from_secs(2);

/// The name without its number: `web-production-v012` is of `web-production`.
fn cluster(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((cluster, digits)) if digits.len() == 3 && digits.bytes().all(|one| one.is_ascii_digit()) => cluster,
        _ => name,
    }
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix(cluster(name))?.strip_prefix("-v")?.parse().ok()
}

/// The next name that is free.
fn next_name(of: &str, taken: &[&str]) -> String {
    let cluster = cluster(of);
    let mut next = number(of).map_or(0, |number| (number + 1) % NUMBERS);
    for _ in 0..NUMBERS {
        let name = format!("{cluster}-v{next:03}");
        if !taken.contains(&name.as_str()) {
            return name;
        }
        next = (next + 1) % NUMBERS;
    }
    format!("{cluster}-v{next:03}")
}

/// A group's tags.
pub(super) fn tags_of(group: &AutoScalingGroup) -> BTreeMap<String, String> {
    let tags = group.tags().iter();
    tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// True for a group that did not take over yet.
pub(super) fn is_passing(group: &AutoScalingGroup) -> bool {
    tags_of(group).contains_key(REPLACES)
}

fn name_of(group: &AutoScalingGroup) -> &str {
    group.auto_scaling_group_name().unwrap_or_default()
}

/// The groups that took over from each other.
pub(super) async fn members(there: &Inner, of: &str) -> Result<Vec<AutoScalingGroup>> {
    let client = &there.client;
    let cluster_name = cluster(of);
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let request = client.autoscaling.describe_auto_scaling_groups().max_records(100).set_next_token(page);
        let doing = format!("list the groups of {cluster_name}");
        let answer = client.call("DescribeAutoScalingGroups", &doing, request.send()).await?;
        let groups = answer.auto_scaling_groups.unwrap_or_default().into_iter();
        all.extend(groups.filter(|group| cluster(name_of(group)) == cluster_name));
        page = answer.next_token.filter(|mark| !mark.is_empty());
        if page.is_none() {
            all.sort_by_key(|group| number(name_of(group)));
            return Ok(all);
        }
    }
}

/// The group that serves: the one that nothing took over from, and that is not being brought up.
///
/// # Errors
/// When there is none, or it can't be replaced.
pub(super) async fn at_work(there: &Inner, named: &str) -> Result<Group> {
    let all = members(there, named).await?;
    let serves = |group: &&AutoScalingGroup| {
        let tags = tags_of(group);
        !tags.contains_key(REPLACES) && !tags.contains_key(REPLACED_BY) && group.status().is_none()
    };
    let Some(found) = all.iter().rfind(serves) else {
        // Says that there is none, or why it can't be moved.
        return group::find(there, named).await;
    };
    Traffic::of(found)?;
    Group::new(found.clone())
}

/// A replacement on its way.
struct Change<'a> {
    job: &'a Job<'a>,
    old: &'a Group,
    next: String,
    settings: &'a Refresh,
    traffic: Traffic,
}

/// Brings a group up beside `old` and lets it take over; false when the version was at work already.
pub(super) async fn replace(
    job: &Job<'_>,
    old: &Group,
    settings: &Refresh,
    rollout: &mut Rollout,
) -> Result<bool, Bad> {
    let nothing_moved = |error: Error| {
        let outcome = if error.kind() == Kind::Cancelled { Outcome::RollingBack } else { Outcome::RolledBack };
        Bad::new(outcome, error)
    };
    if job.is_there(old) {
        return Ok(false);
    }
    let traffic = Traffic::of(&old.raw).map_err(nothing_moved)?;
    let all = members(&job.there, &old.name).await.map_err(nothing_moved)?;
    let begun = all.iter().find(|group| tags_of(group).get(REPLACES) == Some(&old.name));
    let next = match begun {
        Some(begun) => adopted(job, begun).map_err(nothing_moved)?,
        None => next_name(&old.name, &all.iter().map(name_of).collect::<Vec<_>>()),
    };
    let change = Change { job, old, next, settings, traffic };
    let result = change.take_over(begun.is_none(), rollout).await;
    if let Err(error) = result {
        return Err(change.back(error, rollout).await);
    }
    rollout.group = Some(change.next.clone());
    remove_expired(job, &all).await;
    Ok(true)
}

/// A group that a run which was cut off began, when it runs the same version.
fn adopted(job: &Job<'_>, begun: &AutoScalingGroup) -> Result<String> {
    let name = name_of(begun).to_owned();
    let group = Group::new(begun.clone())?;
    if group.follows() != group::Follows::Number(job.version) {
        return Err(Error::new(
            Kind::Deploy,
            format!("{name} is being brought up with version {} already", group.follows().as_version()),
        )
        .help("Another run deploys, or was cut off: `ami-bake sweep` takes away what it left."));
    }
    job.run.progress(format!("{name} was begun by an earlier run"));
    Ok(name)
}

impl Change<'_> {
    fn there(&self) -> &Inner {
        &self.job.there
    }

    async fn take_over(&self, new: bool, rollout: &mut Rollout) -> Result<()> {
        let (run, old, next) = (&self.job.run, &self.old.name, &self.next);
        self.create(new).await?;
        copy::furnish(&self.there().client, run, &self.old.raw, next).await?;
        let size = self.resize().await?;
        rollout.done.push(format!("{next} made like {old}"));
        self.healthy(size).await?;
        if let Some(warmup) = self.settings.warmup {
            run.sleep(warmup).await?;
            self.healthy(size).await?;
        }
        rollout.done.push(format!("{size} machines healthy"));
        if !self.traffic.is_none() {
            traffic::attach(self.there(), next, &self.traffic).await?;
            // Where nothing runs nothing can be found healthy.
            if size > 0 {
                self.flowing().await?;
                self.healthy(size).await?;
            }
        }
        self.disable().await?;
        // The last look: from here on the old group serves nobody.
        self.healthy(size).await?;
        if !self.traffic.is_none() {
            rollout.done.push(format!("{} moved to it", self.traffic.in_words()));
        }
        self.finish(rollout).await
    }

    /// Makes the group; what an earlier run made is taken into the ledger.
    async fn create(&self, new: bool) -> Result<()> {
        let (run, next) = (&self.job.run, &self.next);
        let client = &self.there().client;
        run.check()?;
        let mark = GroupMark { group: next.clone(), replaces: self.old.name.clone() };
        let ticket = run.intend(PLATFORM, GROUP, Some(client.region()), &line(&mark))?;
        if new {
            let desired = self.old.with_version(&self.job.version.to_string());
            let made = copy::create(client, &self.old.raw, next, desired, self.tags()).await;
            if let Err(failure) = made {
                // A repeated request meets what the first one made.
                let there = failure.is(&["AlreadyExists"]) || failure.unknown();
                if !(there && group::describe(self.there(), next).await?.is_some_and(|group| self.is_ours(&group))) {
                    run.ledger().close(ticket, Closed::Refused)?;
                    return Err(client.explain(*failure, &format!("make the Auto Scaling group {next}")).await);
                }
            }
        }
        run.ledger().confirm(ticket, next)
    }

    fn is_ours(&self, group: &AutoScalingGroup) -> bool {
        tags_of(group).get(tags::RUN).map(String::as_str) == Some(self.job.run.id())
    }

    /// The old group's tags, and what says whose it is until it took over.
    fn tags(&self) -> Vec<Tag> {
        let plan = self.job.plan;
        let mut ours = created(&self.job.run, &self.next, Some(&plan.namespace), Some(&plan.key), LIFETIME);
        ours.remove("Name");
        ours.insert(REPLACES.to_owned(), self.old.name.clone());
        ours.insert(tags::VERSION.to_owned(), plan.version.to_string());
        let mut all = copy::tags(&self.old.raw, &self.next);
        all.extend(ours.iter().map(|(key, value)| tag(&self.next, key, value)));
        all
    }

    /// Gives the group the sizes that the old one has now; answers how many machines that are.
    async fn resize(&self) -> Result<usize> {
        let old = &self.old.raw;
        let now = group::describe(self.there(), &self.old.name).await?;
        let desired = now.as_ref().unwrap_or(old).desired_capacity().unwrap_or_default();
        let client = &self.there().client;
        let request = client
            .autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(&self.next)
            .set_min_size(old.min_size)
            .set_max_size(old.max_size)
            .desired_capacity(desired);
        let doing = format!("give {} the sizes of {}", self.next, self.old.name);
        client.call("UpdateAutoScalingGroup", &doing, request.send()).await?;
        Ok(usize::try_from(desired).unwrap_or_default())
    }

    /// Waits until so many machines serve.
    async fn healthy(&self, size: usize) -> Result<()> {
        let run = &self.job.run;
        let (begun, limit) = (run.clock().elapsed(), self.settings.wait);
        let mut told = None;
        let wait = self.there().deploys.groups.wait(run, &self.next, limit.saturating_add(PAUSE), |state| {
            let serving = state.iter().flat_map(AutoScalingGroup::instances).filter(|one| is_in_service(one)).count();
            if told != Some(serving) {
                run.progress(format!("{}: {serving} of {size} machines in service", self.next));
                told = Some(serving);
            }
            if serving >= size {
                return Some(Ok(()));
            }
            (run.clock().elapsed().saturating_sub(begun) >= limit).then(|| {
                Err(Error::new(
                    Kind::Deploy,
                    format!("{} of {size} machines of {} were in service after {}", serving, self.next, human(limit)),
                )
                .help("The group's activities say why (`aws autoscaling describe-scaling-activities`)."))
            })
        });
        wait.await
    }

    /// Waits until the load balancers send traffic to the new group.
    async fn flowing(&self) -> Result<()> {
        let run = &self.job.run;
        let begun = run.clock().elapsed();
        let judges = self.old.raw.health_check_type().is_some_and(|kind| kind.contains("ELB"));
        loop {
            let flows = traffic::flows(self.there(), &self.next, &self.traffic, judges);
            if run.until_cancelled(flows).await?? {
                return Ok(());
            }
            if run.clock().elapsed().saturating_sub(begun) >= self.settings.wait {
                return Err(Error::new(
                    Kind::Deploy,
                    format!(
                        "the load balancers found no healthy machine in {} after {}",
                        self.next,
                        human(self.settings.wait)
                    ),
                )
                .help("Look at the health checks of its target groups."));
            }
            run.sleep(PAUSE).await?;
        }
    }

    /// Takes the old group out of service: it keeps its machines, and gets no traffic.
    async fn disable(&self) -> Result<()> {
        let (client, old) = (&self.there().client, &self.old.name);
        let expires = expiring(&self.job.run, self.job.deployment.keep_old);
        let marks = [tag(old, REPLACED_BY, &self.next), tag(old, tags::EXPIRES, &expires)];
        let request = client.autoscaling.create_or_update_tags().set_tags(Some(marks.to_vec()));
        client.call("CreateOrUpdateTags", &format!("mark {old} as replaced"), request.send()).await?;
        let request = client.autoscaling.suspend_processes().auto_scaling_group_name(old);
        let request = request.set_scaling_processes(Some(DISABLED.map(str::to_owned).to_vec()));
        client.call("SuspendProcesses", &format!("disable {old}"), request.send()).await?;
        traffic::detach(self.there(), old, &self.traffic).await
    }

    /// The new group is what it should be: nothing of it expires any more.
    async fn finish(&self, rollout: &mut Rollout) -> Result<()> {
        let (there, old, next) = (self.there(), &self.old.name, &self.next);
        let client = &there.client;
        let passing = [REPLACES, tags::EXPIRES].map(|key| mark(next, key).build());
        let request = client.autoscaling.delete_tags().set_tags(Some(passing.to_vec()));
        client.call("DeleteTags", &format!("mark {next} as at work"), request.send()).await?;
        self.job.run.ledger().close_id(GROUP, next, Closed::Published)?;
        // What was suspended in the old group before stays suspended in the new one.
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
            delete(there, old).await?;
            rollout.done.push(format!("{old} deleted"));
        } else {
            rollout.done.push(format!("{old} kept disabled for {}", human(keep)));
        }
        let raw = group::describe(there, next).await?;
        if let (Some(raw), group::Follows::Default) = (raw, self.old.follows()) {
            let next = Group::new(raw)?;
            let now = super::template::find(there, &self.job.begin.template.id).await?;
            if now.default == self.job.version {
                pointers::ask_for(there, &next, "$Default").await?;
            }
        }
        Ok(())
    }

    /// Gives everything back to the old group, and takes the new one away.
    async fn back(&self, error: Error, rollout: &mut Rollout) -> Bad {
        if error.kind() == Kind::Cancelled {
            return Bad::new(Outcome::RollingBack, error);
        }
        let (run, old, next) = (&self.job.run, &self.old.name, &self.next);
        if !self.settings.rollback {
            let _ = run.ledger().close_id(GROUP, next, Closed::Kept);
            let help = format!("`on-failure: stop` leaves {next} beside {old}; sweep takes it away in a day.");
            return Bad::new(Outcome::Failed, error.help(help));
        }
        run.progress(format!("{old} takes over again, {next} goes"));
        match give_back(self.there(), old, next).await {
            Ok(()) => {
                let _ = run.ledger().close_id(GROUP, next, Closed::Deleted);
                rollout.done.push(format!("{next} deleted, {old} serves"));
                Bad::new(Outcome::RolledBack, error)
            }
            Err(refused) => {
                let _ = run.ledger().close_id(GROUP, next, Closed::Kept);
                let help = format!("The way back failed: {refused}. {}", refused.help_text().unwrap_or_default());
                Bad::new(Outcome::RollbackFailed, error.help(help.trim_end()))
            }
        }
    }
}

fn tag(group: &str, key: &str, value: &str) -> Tag {
    mark(group, key).value(value).propagate_at_launch(false).build()
}

/// What names a tag; to be deleted it needs no more.
fn mark(group: &str, key: &str) -> TagBuilder {
    Tag::builder().resource_id(group).resource_type("auto-scaling-group").key(key)
}

/// The old group gets its traffic and its processes back before the new one goes, so that somebody always serves.
async fn give_back(there: &Inner, old: &str, next: &str) -> Result<()> {
    let taken = group::describe(there, next).await?;
    if let Some(first) = group::describe(there, old).await?
        && tags_of(&first).contains_key(REPLACED_BY)
    {
        let client = &there.client;
        if let Some(taken) = &taken {
            traffic::attach(there, old, &Traffic::of(taken)?).await?;
        }
        let request = client.autoscaling.resume_processes().auto_scaling_group_name(old);
        let request = request.set_scaling_processes(Some(DISABLED.map(str::to_owned).to_vec()));
        client.call("ResumeProcesses", &format!("enable {old} again"), request.send()).await?;
        let marks = [REPLACED_BY, tags::EXPIRES].map(|key| mark(old, key).build());
        let request = client.autoscaling.delete_tags().set_tags(Some(marks.to_vec()));
        client.call("DeleteTags", &format!("mark {old} as at work"), request.send()).await?;
    }
    if taken.is_some() { delete(there, next).await } else { Ok(()) }
}

/// Deletes a group with its machines. Not being there is success.
async fn delete(there: &Inner, name: &str) -> Result<()> {
    let client = &there.client;
    let request = client.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(name).force_delete(true);
    match client.ask("DeleteAutoScalingGroup", request.send()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(&["ValidationError"]) && failure.text().contains("not found") => Ok(()),
        Err(failure) => Err(client.explain(*failure, &format!("delete the Auto Scaling group {name}")).await),
    }
}

/// Groups of the cluster that were kept long enough.
async fn remove_expired(job: &Job<'_>, all: &[AutoScalingGroup]) {
    let now = job.run.clock().now();
    for group in all {
        let tags = tags_of(group);
        let over = |text: &String| text.parse::<Timestamp>().is_ok_and(|end| end <= now);
        if !tags.contains_key(REPLACED_BY) || !tags.get(tags::EXPIRES).is_some_and(over) {
            continue;
        }
        let name = name_of(group);
        match delete(&job.there, name).await {
            Ok(()) => job.run.progress(format!("{name}, which was replaced before, is deleted")),
            Err(error) => job.run.warn(format!("could not {error}"), error.help_text().map(str::to_owned)),
        }
    }
}

/// Takes a group away that did not take over, or that was kept long enough.
pub(super) async fn undo(there: &Inner, entry: &Entry) -> Result<Undo> {
    let mark = serde_json::from_str::<GroupMark>(&entry.find_by).ok();
    // Sweep knows the name alone.
    let name = entry.id.clone().or_else(|| mark.map(|mark| mark.group)).unwrap_or_default();
    let Some(group) = group::describe(there, &name).await? else { return Ok(Undo::Done) };
    let tags = tags_of(&group);
    match tags.get(REPLACES) {
        Some(old) => give_back(there, old, &name).await.map(|()| Undo::Done),
        None if tags.contains_key(REPLACED_BY) => delete(there, &name).await.map(|()| Undo::Done),
        // It took over before it could be stopped.
        None => Ok(Undo::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_as_asgards_do() {
        assert_eq!(next_name("web-production", &["web-production"]), "web-production-v000");
        assert_eq!(next_name("web-v012", &["web-v011", "web-v012"]), "web-v013");
        assert_eq!(next_name("web-v999", &["web-v999", "web-v000"]), "web-v001");
        assert_eq!((cluster("web-v1"), cluster("web-v012"), number("web")), ("web-v1", "web", None));
    }
}
