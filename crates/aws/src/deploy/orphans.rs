//! Finds versions of a launch template that a killed deployment left: created for a group, and never used.

use std::time::Duration;

use ami_bake_core::plan::Deployment;
use ami_bake_core::platform::Undo;
use ami_bake_core::{Result, Run};
use jiff::Timestamp;

use super::ledger_kinds::{number_of, version_id};
use super::prune::used;
use super::template::{self, Template, Version};
use crate::client::Client;
use crate::usage::all_groups;

/// Time that a deployment needs in addition to the wait for its group.
const SLACK: Duration = Duration::from_hours(1);

/// A version whose deployment never finished.
pub(crate) struct OrphanedVersion {
    /// ID as in the ledger: `TEMPLATE:NUMBER`.
    pub(crate) id: String,
    /// ID of the run that created it.
    pub(crate) run: String,
    /// Description of the template version.
    pub(crate) about: String,
    /// Time since when no run can be working on it.
    pub(crate) expired: Timestamp,
}

/// The versions that ami-bake created for an entry of `deploy` and that are newer than any version in use. A finished
/// deployment moved the group or the default to its version, or deleted it. Versions can't have tags. For an entry that
/// moves neither group nor default nothing is known, since its versions are for others to use.
pub(crate) async fn orphaned_versions(
    client: &Client,
    run: &Run,
    deployment: &Deployment,
) -> Result<Vec<OrphanedVersion>> {
    if deployment.group.is_none() && deployment.set_default != Some(true) {
        return Ok(Vec::new());
    }
    let template = template::find(client, &deployment.template).await?;
    let life = deployment.strategy.settings().wait.saturating_add(SLACK);
    let now = run.clock().now();
    let over = |version: &Version| {
        let end = version.created?.checked_add(life).ok()?;
        (end <= now).then_some(end)
    };
    let all = template::versions(client, &template.id).await?;
    let candidates: Vec<_> = all.iter().filter_map(|one| Some((one, one.run()?, over(one)?))).collect();
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let newest = newest_at_work(client, &template).await?;
    let left = candidates.into_iter().filter(|(version, ..)| version.number > newest);
    Ok(left
        .map(|(version, run, expired)| OrphanedVersion {
            id: version_id(&template.id, version.number),
            run: run.to_owned(),
            about: format!("{}: {}", template.name, version.description),
            expired,
        })
        .collect())
}

async fn newest_at_work(client: &Client, template: &Template) -> Result<i64> {
    let groups = all_groups(client).await?;
    Ok(groups.iter().flat_map(|group| used(group, template)).chain([template.default]).max().unwrap_or_default())
}

/// Deletes such a version, unless it has been used since it was listed.
pub(crate) async fn remove_version(client: &Client, id: &str) -> Result<Undo> {
    let (Some((named, _)), Some(number)) = (id.rsplit_once(':'), number_of(id)) else { return Ok(Undo::Done) };
    let template = template::find(client, named).await?;
    if newest_at_work(client, &template).await? >= number {
        return Ok(Undo::Kept(format!("version {number} of {} is at work, or a newer one is", template.name)));
    }
    template::delete(client, named, &[number]).await.map(|()| Undo::Done)
}
