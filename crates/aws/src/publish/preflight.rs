//! Checks before a machine starts whether the accounts allow the publication.

use ami_bake_core::plan::{ImagePlan, TargetPlan};
use ami_bake_core::{Error, Result, Route, Run};
use aws_sdk_ec2::types::ImageBlockPublicAccessEnabledState;
use futures::future::try_join_all;

use super::destination::{Destination, destinations};
use super::publisher::Publisher;
use crate::client::one_of;

/// Alias of the key that AWS manages; no other account may use it (KMS developer guide, "AWS managed keys").
const AWS_KEY: &str = "alias/aws/ebs";

/// Refuses a publication that can't succeed.
///
/// # Errors
/// [`ami_bake_core::ErrorKind::Preflight`], with what to do.
pub(crate) async fn preflight(publisher: &Publisher, run: &Run, plan: &ImagePlan) -> Result<()> {
    let region = publisher.client().region();
    let distribution = &plan.settings.distribution;
    let asked = distribution.regions.iter().find(|asked| asked.region == region);
    if let Some(key) = asked.and_then(|asked| asked.kms_key.as_deref())
        && plan.machine.disk.kms_key.as_deref() != Some(key)
    {
        return Err(Error::preflight(format!("could not publish {} in {region} with the key {key}", plan.key))
            .help(format!(
                "{region} is the home region, where the image has the key of the disk that it is baked on. Set `machine: \
                 {{disk: {{encrypted: true, kms-key: {key}}}}}`, and remove `kms-key` here."
            ))
            .at(route(plan, "regions")));
    }
    let shared = !distribution.share.is_nobody();
    let all = destinations(&publisher.places, &[distribution]);
    if all.len() == 1 && !shared {
        return Ok(());
    }
    let checks = async {
        // A role that can't be assumed is reported before anything else about its account.
        try_join_all(distribution.targets.iter().map(|target| assumable(publisher, plan, target))).await?;
        let roles = [None].into_iter().chain(distribution.targets.iter().map(|target| Some(target.role.as_str())));
        try_join_all(roles.map(|role| enabled(publisher, plan, role, &all))).await?;
        try_join_all(all.iter().filter(|to| shared || to.home).map(|to| shareable(plan, to))).await
    };
    run.until_cancelled(checks).await??;
    Ok(())
}

fn route(plan: &ImagePlan, field: &str) -> Route {
    plan.route.key("publish").key(field)
}

/// Checks that a target's role can be assumed.
async fn assumable(publisher: &Publisher, plan: &ImagePlan, target: &TargetPlan) -> Result<()> {
    let role = &target.role;
    let client = publisher.places.clients().at(publisher.client().region(), Some(role));
    let doing = format!("publish {} as {role}", plan.key);
    let answer = client.ask("GetCallerIdentity", client.sts.get_caller_identity().send()).await;
    let Err(failure) = answer else { return Ok(()) };
    if !failure.without_credentials() {
        return Err(client.explain(*failure, &doing).await.at(route(plan, "targets")));
    }
    let statement = format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "{role}"}}"#);
    Err(Error::preflight(format!("could not {doing}: the role can't be assumed: {}", failure.text()))
        .help(format!(
            "The role of the bake needs this statement: {statement}. The trust policy of {role} must name the role of \
             the bake as a principal."
        ))
        .at(route(plan, "targets")))
}

/// The account of `role` has enabled the regions of its destinations. In one that is not, every call is refused as if the
/// credentials were wrong (Account Management reference guide, "Enable or disable AWS Regions in your account").
async fn enabled(publisher: &Publisher, plan: &ImagePlan, role: Option<&str>, all: &[Destination]) -> Result<()> {
    let of_role = all.iter().filter(|to| !to.home && to.role.as_deref() == role);
    let regions: Vec<&str> = of_role.map(|to| to.region.region.as_str()).collect();
    if regions.is_empty() {
        return Ok(());
    }
    let client = publisher.places.clients().at(publisher.client().region(), role);
    let request =
        client.ec2.describe_regions().all_regions(true).filters(one_of("region-name", regions.iter().copied())).send();
    let doing = format!("check whether {} is enabled", regions.join(", "));
    let answer = client.call("DescribeRegions", &doing, request).await?;
    let status =
        |name: &str| answer.regions().iter().find(|one| one.region_name() == Some(name)).map(|one| one.opt_in_status());
    let field = if role.is_none() { "regions" } else { "targets" };
    for region in regions {
        let (what, help) = match status(region) {
            Some(Some("not-opted-in")) => (
                "is not enabled for the account",
                "Enable it under Account, AWS Regions (`aws account enable-region --region-name …`), which takes minutes to hours, or remove it.",
            ),
            Some(_) => continue,
            None => ("does not exist", "Check its name: `aws ec2 describe-regions --all-regions` lists all."),
        };
        let of = client.account().map(|account| format!(" {account}")).unwrap_or_default();
        return Err(Error::preflight(format!("could not publish {} in {region}: the region {what}{of}", plan.key))
            .help(help)
            .at(route(plan, field)));
    }
    Ok(())
}

/// What sharing asks of a place, and copying to another account of the home region.
async fn shareable(plan: &ImagePlan, to: &Destination) -> Result<()> {
    let client = to.client();
    let place = to.place();
    let distribution = &plan.settings.distribution;
    let public = distribution.share.public;
    if public {
        let request = client.ec2.get_image_block_public_access_state().send();
        let doing = format!("check whether public images are allowed in {place}");
        let state = client.call("GetImageBlockPublicAccessState", &doing, request).await?;
        let blocks = ImageBlockPublicAccessEnabledState::BlockNewSharing;
        if state.image_block_public_access_state() == Some(blocks.as_str()) {
            return Err(Error::preflight(format!("could not make {} public: the account blocks public images in {place}", plan.key))
                .help("Allow them under EC2, Data protection and security, Block public access for AMIs (DisableImageBlockPublicAccess), or remove `public: true`.")
                .at(route(plan, "share")));
        }
    }
    let Some(key) = key_of(plan, to).await? else { return Ok(()) };
    if public {
        return Err(Error::preflight(format!("could not make {} public: it is encrypted in {place}", plan.key))
            .help("A public image must be unencrypted. Remove `encrypted` and `kms-key`, or bake it in an account that does not encrypt by default.")
            .at(route(plan, "share")));
    }
    if key.ends_with(AWS_KEY) {
        let (what, field) = if distribution.share.is_nobody() { ("copy", "targets") } else { ("share", "share") };
        return Err(Error::preflight(format!("could not {what} {}: in {place} it is encrypted with the AWS managed key, which no other account can use", plan.key))
            .help("Use a customer managed key: `machine: {disk: {encrypted: true, kms-key: …}}` in the home region, `regions: [{region: …, kms-key: …}]` in others. The key policy must allow the other account to use it.")
            .at(route(plan, field)));
    }
    Ok(())
}

/// The key that the image will be encrypted with at a destination; `None` if it is not encrypted.
async fn key_of(plan: &ImagePlan, to: &Destination) -> Result<Option<String>> {
    let disk = &plan.machine.disk;
    let own = if to.home { disk.kms_key.clone() } else { to.region.kms_key.clone() };
    if own.is_some() {
        return Ok(own);
    }
    let client = to.client();
    let doing = format!("look up the default encryption in {}", to.place());
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
