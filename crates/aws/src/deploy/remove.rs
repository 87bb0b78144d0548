//! Deletes groups: those that did not replace the old one, and those that were kept long enough.

use ami_bake_core::ledger::Entry;
use ami_bake_core::platform::Undo;
use ami_bake_core::{Result, tags};
use aws_sdk_autoscaling::types::AutoScalingGroup;
use jiff::Timestamp;

use super::cluster::{DISABLED, REPLACED_BY, REPLACES, mark, name_of, tags_of};
use super::group;
use super::job::Job;
use super::ledger_kinds::GroupMark;
use super::traffic::{self, Traffic};
use crate::client::Client;

/// Returns traffic and processes to the old group before the new one is deleted, so that one group is always in
/// service.
pub(super) async fn hand_back(client: &Client, old: &str, next: &str) -> Result<()> {
    let taken = group::describe(client, next).await?;
    if let Some(first) = group::describe(client, old).await?
        && tags_of(&first).contains_key(REPLACED_BY)
    {
        if let Some(taken) = &taken {
            traffic::attach(client, old, &Traffic::of(taken)?).await?;
        }
        let request = client.autoscaling.resume_processes().auto_scaling_group_name(old);
        let request = request.set_scaling_processes(Some(DISABLED.map(str::to_owned).to_vec()));
        client.call("ResumeProcesses", &format!("enable {old} again"), request.send()).await?;
        let marks = [REPLACED_BY, tags::EXPIRES].map(|key| mark(old, key).build());
        let request = client.autoscaling.delete_tags().set_tags(Some(marks.to_vec()));
        client.call("DeleteTags", &format!("mark {old} as in service"), request.send()).await?;
    }
    if taken.is_some() { delete(client, next).await } else { Ok(()) }
}

/// Deletes a group with its machines. A missing group is success.
pub(super) async fn delete(client: &Client, name: &str) -> Result<()> {
    let request = client.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(name).force_delete(true);
    match client.ask("DeleteAutoScalingGroup", request.send()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(&["ValidationError"]) && failure.text().contains("not found") => Ok(()),
        Err(failure) => Err(client.explain(*failure, &format!("delete the Auto Scaling group {name}")).await),
    }
}

/// Deletes groups of the cluster that were kept long enough.
pub(super) async fn remove_expired(job: &Job<'_>, all: &[AutoScalingGroup]) {
    let now = job.run.clock().now();
    for group in all {
        let tags = tags_of(group);
        let over = |text: &String| text.parse::<Timestamp>().is_ok_and(|end| end <= now);
        if !tags.contains_key(REPLACED_BY) || !tags.get(tags::EXPIRES).is_some_and(over) {
            continue;
        }
        let name = name_of(group);
        match delete(job.client(), name).await {
            Ok(()) => job.run.progress(format!("Deleted {name}, which had been replaced")),
            Err(error) => job.run.warn(error.to_string(), error.help_text().map(str::to_owned)),
        }
    }
}

/// Undoes the ledger entry of a group that did not replace the old one, or that was kept long enough.
pub(super) async fn undo(client: &Client, entry: &Entry) -> Result<Undo> {
    let mark = serde_json::from_str::<GroupMark>(&entry.find_by).ok();
    // Sweep only knows the name.
    let name = entry.id.clone().or_else(|| mark.map(|mark| mark.group)).unwrap_or_default();
    let Some(group) = group::describe(client, &name).await? else { return Ok(Undo::Done) };
    let tags = tags_of(&group);
    match tags.get(REPLACES) {
        Some(old) => hand_back(client, old, &name).await.map(|()| Undo::Done),
        None if tags.contains_key(REPLACED_BY) => delete(client, &name).await.map(|()| Undo::Done),
        // The group was in service before it could be stopped.
        None => Ok(Undo::Done),
    }
}
