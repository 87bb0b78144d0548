//! Checks before a machine starts whether deployments can succeed.

use ami_bake_core::plan::{Deployment, ImagePlan};
use ami_bake_core::{Error, Result, Run};
use futures::future::try_join_all;

use super::current::CurrentState;
use super::keys;
use crate::client::Clients;
use crate::image::by_id;

/// Refuses deployments that can't succeed.
///
/// # Errors
/// [`ami_bake_core::ErrorKind::Preflight`], with what to do.
pub(crate) async fn preflight(clients: &Clients, run: &Run, plan: &ImagePlan) -> Result<()> {
    let wanted = plan.settings.deployments.iter().filter(|deployment| deployment.wanted);
    let checks = try_join_all(wanted.map(async |deployment| {
        let result = one(clients, run, plan, deployment).await;
        result.map_err(|error| if error.route().is_none() { error.at(deployment.route.clone()) } else { error })
    }));
    run.until_cancelled(checks).await??;
    Ok(())
}

async fn one(clients: &Clients, run: &Run, plan: &ImagePlan, deployment: &Deployment) -> Result<()> {
    let region = deployment.region.as_deref().unwrap_or(clients.home().region());
    reaches(clients, plan, deployment, region)?;
    let client = clients.at(region, deployment.role.as_deref());
    let current = CurrentState::look_up(&client, deployment).await?;
    let old = by_id(&client, current.source.data.image_id().unwrap_or_default()).await?;
    // The new image will have the root device and architecture of its source.
    let new = by_id(clients.home(), &plan.source.id).await?;
    if let Some(new) = &new {
        current.fits(old.as_ref(), new)?;
    }
    let key = match plan.settings.distribution.regions.iter().find(|asked| asked.region == region) {
        Some(asked) if region != clients.home().region() => asked.kms_key.as_deref(),
        _ => plan.machine.disk.kms_key.as_deref(),
    };
    if let (Some(group), Some(key)) = (&current.group, key) {
        keys::warn(&client, run, group, old.as_ref(), key).await?;
    }
    Ok(())
}

/// Checks that the image is published to the deployment's region and account.
fn reaches(clients: &Clients, plan: &ImagePlan, deployment: &Deployment, region: &str) -> Result<()> {
    let wanted = &plan.settings.distribution;
    let there = region == clients.home().region()
        || deployment.role.is_some()
        || (wanted.wanted && wanted.regions.iter().any(|asked| asked.region == region));
    if there {
        return Ok(());
    }
    Err(Error::preflight(format!("could not deploy {} to {region}: it is not published there", plan.key))
        .help(format!("Add {region} to `publish.regions`."))
        .at(deployment.route.key("region")))
}
