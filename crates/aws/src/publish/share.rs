//! Shares images: launch permissions, and what another account needs for a copy.

use std::collections::BTreeMap;

use ami_bake_core::plan::Share;
use ami_bake_core::{Error, Result, tags};
use aws_sdk_ec2::types::{
    ImageAttributeName, LaunchPermission, LaunchPermissionModifications, OperationType, PermissionGroup,
    SnapshotAttributeName, Tag,
};

use crate::client::Client;
use crate::image::shared_key;

/// Tags of an image that other accounts can read. `check` reserves room for them.
const SHOWN: [&str; 7] =
    [tags::NAME, tags::IMAGE, tags::VARIANT, tags::VERSION, tags::DIGEST, tags::TESTED, tags::SOURCE];

/// Adds launch permissions for everyone who is named, and tags that other accounts can read (`all` are the image's
/// own). Existing permissions are not set again, and none is removed. Returns whom it was shared with, for messages.
pub(super) async fn share(
    client: &Client,
    image: &str,
    wanted: &Share,
    all: &BTreeMap<String, String>,
) -> Result<Option<String>> {
    if wanted.is_nobody() {
        return Ok(None);
    }
    let doing = format!("share the image {image}");
    let request = client.ec2.describe_image_attribute().image_id(image).attribute(ImageAttributeName::LaunchPermission);
    let seen = client.call("DescribeImageAttribute", &doing, request.send()).await?;
    let missing: Vec<(LaunchPermission, String)> = permissions(wanted, client.account())
        .into_iter()
        .filter(|(one, _)| !seen.launch_permissions().contains(one))
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let shown: Vec<Tag> = shown(all);
    if !shown.is_empty() {
        let request = client.ec2.create_tags().resources(image).set_tags(Some(shown));
        client
            .call(
                "CreateTags",
                &format!("tag the image {image} for the accounts that it is shared with"),
                request.send(),
            )
            .await?;
    }
    let (add, names): (Vec<LaunchPermission>, Vec<String>) = missing.into_iter().unzip();
    let change = LaunchPermissionModifications::builder().set_add(Some(add)).build();
    let request = client.ec2.modify_image_attribute().image_id(image).launch_permission(change);
    match client.ask("ModifyImageAttribute", request.send()).await {
        Ok(_) => Ok(Some(format!("shared with {}", names.join(", ")))),
        Err(failure) => {
            let text = failure.text().to_ascii_lowercase();
            let blocked = text.contains("block public access") || failure.is(&["OperationNotPermitted"]);
            let error = client.explain(*failure, &doing).await;
            Err(if wanted.public && blocked { blocked_public(error, client.region()) } else { error })
        }
    }
}

/// The tags by which another account finds the image as a source.
fn shown(all: &BTreeMap<String, String>) -> Vec<Tag> {
    let value = |key: &str| if key == tags::VARIANT { tags::variant(all) } else { all.get(key) };
    SHOWN.iter().filter_map(|key| Some(Tag::builder().key(shared_key(key)).value(value(key)?).build())).collect()
}

/// Allows another account to copy a snapshot.
pub(super) async fn share_snapshot(client: &Client, snapshot: &str, account: &str) -> Result<()> {
    let request = client
        .ec2
        .modify_snapshot_attribute()
        .snapshot_id(snapshot)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .operation_type(OperationType::Add)
        .user_ids(account);
    let doing = format!("share the snapshot {snapshot} with {account}");
    client.call("ModifySnapshotAttribute", &doing, request.send()).await?;
    Ok(())
}

/// Ends what [`share_snapshot`] allowed.
pub(super) async fn unshare_snapshot(client: &Client, snapshot: &str, account: &str) -> Result<()> {
    let request = client
        .ec2
        .modify_snapshot_attribute()
        .snapshot_id(snapshot)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .operation_type(OperationType::Remove)
        .user_ids(account);
    let doing = format!("stop sharing the snapshot {snapshot} with {account}");
    client.call("ModifySnapshotAttribute", &doing, request.send()).await?;
    Ok(())
}

/// Takes an account's leave to launch the image away.
pub(super) async fn unshare(client: &Client, image: &str, account: &str) -> Result<()> {
    let one = LaunchPermission::builder().user_id(account).build();
    let change = LaunchPermissionModifications::builder().remove(one).build();
    let request = client.ec2.modify_image_attribute().image_id(image).launch_permission(change);
    let doing = format!("stop sharing the image {image} with {account}");
    client.call("ModifyImageAttribute", &doing, request.send()).await?;
    Ok(())
}

fn blocked_public(error: Error, region: &str) -> Error {
    error.help(format!(
        "The account blocks public images in {region}: EC2, Data protection and security, Block public access for AMIs."
    ))
}

/// The launch permissions to set. `own` is the account that has the image, which needs none.
fn permissions(wanted: &Share, own: Option<&str>) -> Vec<(LaunchPermission, String)> {
    let one = LaunchPermission::builder;
    let mut all: Vec<(LaunchPermission, String)> = Vec::new();
    let others = wanted.accounts.iter().filter(|id| Some(id.as_str()) != own);
    all.extend(others.map(|id| (one().user_id(id).build(), id.clone())));
    all.extend(wanted.organizations.iter().map(|arn| (one().organization_arn(arn).build(), arn.clone())));
    all.extend(wanted.organizational_units.iter().map(|arn| (one().organizational_unit_arn(arn).build(), arn.clone())));
    if wanted.public {
        all.push((one().group(PermissionGroup::All).build(), "everyone".to_owned()));
    }
    all
}
