//! All that the images of a plan need.

use std::sync::Arc;

use ami_bake_core::plan::{Deployment, Distribution, ImagePlan, MachineSettings};
use ami_bake_core::platform::Permission;
use ami_bake_core::{Result, Run};

use super::{bake, deploy, publish};
use crate::platform::Inner;

/// One finding for each action that a bake and the publication of these plans need.
pub(crate) async fn check(aws: &Arc<Inner>, run: &Run, plans: &[ImagePlan]) -> Result<Vec<Permission>> {
    let machines: Vec<MachineSettings> = plans.iter().map(|plan| plan.machine.clone()).collect();
    let mut found = bake::bake(aws, run, &machines).await?;
    let published = plans.iter().filter(|plan| plan.settings.distribution.wanted);
    let distributions: Vec<&Distribution> = published.clone().map(|plan| &plan.settings.distribution).collect();
    let retires = published.clone().any(|plan| !plan.settings.retention.is_none());
    for permission in run.until_cancelled(Box::pin(publish::publish(aws, &distributions, retires))).await? {
        if !found.iter().any(|known| known.action == permission.action) {
            found.push(permission);
        }
    }
    let wanted: Vec<&Deployment> =
        plans.iter().flat_map(|plan| &plan.settings.deployments).filter(|deployment| deployment.wanted).collect();
    for permission in run.until_cancelled(Box::pin(deploy::deploy(aws, &wanted))).await? {
        if !found.iter().any(|known| known.action == permission.action) {
            found.push(permission);
        }
    }
    Ok(found)
}
