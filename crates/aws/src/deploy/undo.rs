//! Undoes open ledger entries of deployments: after a cancel, and for an interrupted run.

use std::collections::BTreeMap;

use ami_bake_core::ledger::Entry;
use ami_bake_core::plan::Refresh;
use ami_bake_core::platform::Undo;
use ami_bake_core::{Result, Run, tags};
use aws_sdk_autoscaling::types::{Filter, InstanceRefreshStatus as Status};
use serde::de::DeserializeOwned;

use super::group::{self, Group, RequestedVersion};
use super::ledger_kinds::{GROUP, REFRESH, RefreshMark, VERSION, VersionMark, number_of};
use super::refresh::{self, StartRefresh};
use super::template::{self, Version};
use super::{cluster, remove};
use crate::client::{Client, pages};

/// Requests the undo of an entry without waiting for it. A missing resource is success.
pub(crate) async fn undo(client: &Client, run: &Run, entry: &Entry) -> Result<Undo> {
    match entry.kind.as_str() {
        VERSION => version(client, entry).await,
        REFRESH => bring_back(client, run, entry).await,
        GROUP => remove::undo(client, entry).await,
        kind => Ok(Undo::Later(format!("this version of ami-bake can't undo a {kind}"))),
    }
}

/// Parses a mark that [`super::ledger_kinds::line`] wrote.
fn mark<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(&entry.find_by).ok()
}

fn unreadable() -> Undo {
    Undo::Later("its ledger entry can't be read".to_owned())
}

/// Deletes a version that nothing uses.
async fn version(client: &Client, entry: &Entry) -> Result<Undo> {
    let Some(mark) = mark::<VersionMark>(entry) else { return Ok(unreadable()) };
    let known = entry.id.as_deref().and_then(number_of);
    let all = template::versions(client, &mark.template).await?;
    let is_it =
        |one: &&Version| known.map_or_else(|| one.description == mark.description, |number| one.number == number);
    let Some(number) = all.iter().find(is_it).map(|one| one.number) else { return Ok(Undo::Done) };
    let template = template::find(client, &mark.template).await?;
    let mut at_work = template.default == number;
    // A group that replaced another has another name.
    let groups = match &mark.group {
        Some(name) => cluster::members(client, name).await?,
        None => Vec::new(),
    };
    for raw in groups {
        if cluster::is_passing(&raw) {
            // The group has its own ledger entry, by which it is deleted.
            continue;
        }
        let Ok(group) = Group::new(raw) else { continue };
        let (follows, used) = (group.follows(), group.on(number).count());
        let asks = follows.number(&template) == number;
        if group.template() != mark.template || !(asks || used > 0) {
            continue;
        }
        let latest = follows == RequestedVersion::Latest;
        if used == 0 {
            // A group that follows the newest version follows the previous one once this one is deleted.
            at_work |= !latest;
            continue;
        }
        let half = latest && used < group.raw.instances().len();
        if !asks || half || refresh::active(client, &group.name).await?.is_some() {
            return Ok(Undo::Later(format!("{} while it is rolled back", group.state(number))));
        }
        at_work = true;
    }
    if at_work {
        // The deployment had finished before it could be stopped.
        return Ok(Undo::Done);
    }
    template::delete(client, &mark.template, &[number]).await.map(|()| Undo::Done)
}

/// Rolls back a refresh.
async fn bring_back(client: &Client, run: &Run, entry: &Entry) -> Result<Undo> {
    let Some(mark) = mark::<RefreshMark>(entry) else { return Ok(unreadable()) };
    let name = &mark.group;
    let found = match &entry.id {
        Some(id) => refresh::by_id(client, name, id).await?,
        None => {
            refresh::active(client, name).await?.filter(|one| refresh::brings(one) == Some(&mark.version.to_string()))
        }
    };
    let (Some(found), Some(raw)) = (found, group::describe(client, name).await?) else { return Ok(Undo::Done) };
    let group = Group::new(raw)?;
    match found.status() {
        // EC2 is rolling back, or the refresh is complete.
        Some(Status::RollbackInProgress | Status::RollbackSuccessful | Status::Successful) => Ok(Undo::Done),
        Some(Status::RollbackFailed) => {
            Ok(Undo::Later(format!("the rollback of {name} failed: see the activities of the group")))
        }
        Some(Status::Failed | Status::Cancelled) => return_by_hand(client, run, &group, &mark).await,
        Some(Status::Cancelling) => Ok(waiting(name)),
        _ if group.is_steady() && refresh::roll_back(client, name).await? => Ok(Undo::Done),
        _ => {
            refresh::cancel(client, name).await?;
            Ok(waiting(name))
        }
    }
}

fn waiting(group: &str) -> Undo {
    Undo::Later(format!("{group} is being stopped; the rollback follows"))
}

/// Rolls back without EC2's help. The group's requested version has not changed, since no refresh finished: a second
/// refresh restores it.
async fn return_by_hand(client: &Client, run: &Run, group: &Group, mark: &RefreshMark) -> Result<Undo> {
    if group.on(mark.version).next().is_none() || refresh::active(client, &group.name).await?.is_some() {
        return Ok(Undo::Done);
    }
    let follows = group.follows();
    let template = template::find(client, &mark.template).await?;
    if follows == RequestedVersion::Latest && template.latest == mark.version {
        template::delete(client, &mark.template, &[mark.version]).await?;
    } else if follows == RequestedVersion::Default && template.default == mark.version {
        return Ok(Undo::Later(format!("version {} is now the default of {}", mark.version, template.name)));
    }
    let settings = Refresh {
        min_healthy: None,
        max_healthy: None,
        warmup: None,
        wait: std::time::Duration::ZERO,
        checkpoints: Vec::new(),
        pause: std::time::Duration::ZERO,
        skip_matching: true,
        alarms: Vec::new(),
        rollback: false,
    };
    let back = StartRefresh {
        mark: mark.clone(),
        desired: group.with_version(&follows.as_version()),
        settings: &settings,
        forward: false,
        auto_rollback: false,
    };
    let id = refresh::start(client, run, &back).await?;
    run.ledger().close_id(REFRESH, &id, ami_bake_core::ledger::Closed::Kept);
    Ok(Undo::Done)
}

/// Groups whose tags have an expiry, by name.
pub(crate) async fn expired(client: &Client) -> Result<Vec<(String, BTreeMap<String, String>)>> {
    let all = pages(|page| async move {
        let filter = Filter::builder().name("tag-key").values(tags::EXPIRES).build();
        let request = client.autoscaling.describe_auto_scaling_groups().filters(filter).set_next_token(page);
        let doing = "list expired Auto Scaling groups";
        let answer = client.call("DescribeAutoScalingGroups", doing, request.send()).await?;
        Ok((answer.auto_scaling_groups.unwrap_or_default(), answer.next_token))
    })
    .await?;
    let named = all.iter().filter_map(|one| Some((one.auto_scaling_group_name()?.to_owned(), cluster::tags_of(one))));
    Ok(named.collect())
}
