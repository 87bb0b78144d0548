//! The snapshots of a published image: their tags and ledger entries.

use std::collections::BTreeMap;

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::{Image, Snapshot, Tag};

use super::facts::snapshots;
use super::tags::{own_tags, to_ec2};
use crate::client::ledger::{IMAGE, SNAPSHOT};
use crate::client::{Client, filter, one_of};

/// Gives the snapshots the image's tags, and removes their expiry.
pub(crate) async fn tag_parts(client: &Client, parts: &[String], wanted: &BTreeMap<String, String>) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    let doing = format!("tag the snapshots {}", parts.join(", "));
    let request = client.ec2.create_tags().set_resources(Some(parts.to_vec())).set_tags(Some(to_ec2(wanted)));
    client.call("CreateTags", &doing, request.send()).await?;
    if wanted.contains_key(tags::EXPIRES) {
        return Ok(());
    }
    let expires = Tag::builder().key(tags::EXPIRES).build();
    let request = client.ec2.delete_tags().set_resources(Some(parts.to_vec())).tags(expires);
    client.call("DeleteTags", &doing, request.send()).await?;
    Ok(())
}

/// Gives the snapshots of a published image its tags, if a publication was interrupted before it did: those snapshots
/// still have an expiry that the image has not.
pub(crate) async fn repair_parts(client: &Client, image: &Image) -> Result<()> {
    let (parts, wanted) = (snapshots(image), own_tags(image));
    if parts.is_empty() {
        return Ok(());
    }
    let doing = format!("look up the snapshots {}", parts.join(", "));
    let request = client.ec2.describe_snapshots().owner_ids("self").filters(one_of("snapshot-id", &parts));
    let request = request.filters(filter("tag-key", tags::EXPIRES)).send();
    let answer = client.call("DescribeSnapshots", &doing, request).await?;
    let end = |snapshot: &Snapshot| {
        let tag = snapshot.tags().iter().find(|tag| tag.key() == Some(tags::EXPIRES))?;
        tag.value().map(str::to_owned)
    };
    let behind = answer.snapshots().iter().filter(|snapshot| end(snapshot).as_ref() != wanted.get(tags::EXPIRES));
    let behind: Vec<String> = behind.filter_map(|snapshot| snapshot.snapshot_id.clone()).collect();
    tag_parts(client, &behind, &wanted).await
}

/// Closes the ledger entries of a published image, so that no clean-up deletes it.
pub(crate) fn close_published(run: &Run, image: &Image) {
    for part in snapshots(image) {
        run.ledger().close_id(SNAPSHOT, &part, Closed::Published);
    }
    close_registered(run, image);
}

/// Closes the ledger entry of a published image whose snapshots still lack their tags. To clean those up means to complete
/// them: EC2 deletes no snapshot of an image.
pub(crate) fn close_registered(run: &Run, image: &Image) {
    run.ledger().close_id(IMAGE, image.image_id().unwrap_or_default(), Closed::Published);
}
