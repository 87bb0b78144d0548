//! What the account does not allow, said before a machine starts.

use std::sync::Arc;

use ami_bake_core::plan::{ImagePlan, RegionPlan};
use ami_bake_core::{Error, Result, Route, Run};
use aws_sdk_ec2::types::ImageBlockPublicAccessEnabledState;
use futures::future::try_join_all;

use super::deliver::regions;
use crate::client::Client;
use crate::platform::Inner;

/// The alias of the key that AWS manages; no other account may use it (KMS developer guide, "AWS managed keys").
const AWS_KEY: &str = "alias/aws/ebs";

/// Refuses a publication that can't come to a good end.
///
/// # Errors
/// [`ami_bake_core::Kind::Preflight`], with what to do.
pub(crate) async fn judge(home: &Arc<Inner>, run: &Run, plan: &ImagePlan) -> Result<()> {
    let region = home.client.region();
    let asked = plan.settings.distribution.regions.iter().find(|asked| asked.region == region);
    if let Some(key) = asked.and_then(|asked| asked.kms_key.as_deref())
        && plan.machine.disk.kms_key.as_deref() != Some(key)
    {
        return Err(Error::preflight(format!("publish {} in {region} under the key {key}", plan.key))
            .help(format!(
                "{region} is the home region: there the image has the key of the disk that it is baked on. Write `machine: \
                 {{disk: {{encrypted: true, kms-key: {key}}}}}`, and leave `kms-key` out here."
            ))
            .at(route(plan, "regions")));
    }
    if plan.settings.distribution.share.is_nobody() {
        return Ok(());
    }
    let all = regions(plan, region);
    let judged = try_join_all(all.iter().map(|region| shared(home, plan, region)));
    run.until_cancelled(judged).await??;
    Ok(())
}

fn route(plan: &ImagePlan, field: &str) -> Route {
    plan.route.key("publish").key(field)
}

/// What sharing asks of a region.
async fn shared(home: &Arc<Inner>, plan: &ImagePlan, region: &RegionPlan) -> Result<()> {
    let there = home.in_region(&region.region);
    let client = &there.client;
    let public = plan.settings.distribution.share.public;
    if public {
        let request = client.ec2.get_image_block_public_access_state().send();
        let doing = format!("ask whether {} may have public images", region.region);
        let state = client.call("GetImageBlockPublicAccessState", &doing, request).await?;
        let blocks = ImageBlockPublicAccessEnabledState::BlockNewSharing;
        if state.image_block_public_access_state() == Some(blocks.as_str()) {
            return Err(Error::preflight(format!("make {} public: the account blocks public images in {}", plan.key, region.region))
                .help("Allow them under EC2, Data protection and security, Block public access for AMIs (DisableImageBlockPublicAccess), or take `public: true` out.")
                .at(route(plan, "share")));
        }
    }
    let Some(key) = key_of(home, client, plan, region).await? else { return Ok(()) };
    if public {
        return Err(Error::preflight(format!("make {} public: it is encrypted in {}", plan.key, region.region))
            .help("A public image must be plain. Take `encrypted` and `kms-key` out, or bake it in an account that does not encrypt by default.")
            .at(route(plan, "share")));
    }
    if key.ends_with(AWS_KEY) {
        return Err(Error::preflight(format!("share {}: in {} it is encrypted with the key that AWS manages, which no other account can use", plan.key, region.region))
            .help("Give it a key of your own: `machine: {disk: {encrypted: true, kms-key: …}}` at home, `regions: [{region: …, kms-key: …}]` elsewhere.")
            .at(route(plan, "share")));
    }
    Ok(())
}

/// The key that the image will be encrypted with in a region; none where it is plain.
async fn key_of(home: &Arc<Inner>, client: &Client, plan: &ImagePlan, region: &RegionPlan) -> Result<Option<String>> {
    let disk = &plan.machine.disk;
    let at_home = region.region == home.client.region();
    let own = if at_home { disk.kms_key.clone() } else { region.kms_key.clone() };
    if own.is_some() {
        return Ok(own);
    }
    let doing = format!("ask how {} encrypts volumes", region.region);
    let encrypted = disk.encrypted == Some(true) || {
        let request = client.ec2.get_ebs_encryption_by_default().send();
        let answer = client.call("GetEbsEncryptionByDefault", &doing, request).await?;
        answer.ebs_encryption_by_default().unwrap_or(false)
    };
    if !encrypted {
        return Ok(None);
    }
    let request = client.ec2.get_ebs_default_kms_key_id().send();
    let answer = client.call("GetEbsDefaultKmsKeyId", &doing, request).await?;
    Ok(Some(answer.kms_key_id.unwrap_or_else(|| AWS_KEY.to_owned())))
}
