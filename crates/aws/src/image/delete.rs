//! Deletes images and snapshots.

use std::time::Duration;

use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::platform::Undo;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Image, ImageState, SnapshotReturnCodes};

use super::facts::{is_tested, snapshots};
use super::images::Images;
use super::list::describe;
use super::parts::{close_published, repair_parts};
use super::tags::tags_of;
use crate::client::ledger::{IMAGE, SNAPSHOT};
use crate::client::{Client, Failure, filter, tag_filter};

/// Pauses between attempts to delete a snapshot, before it is left for later. It can be deleted as soon as its image is
/// deregistered, which happens at the same time.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(400), Duration::from_millis(800)];

/// Deletes an image with the snapshots that no other image uses. A missing image is success.
pub(crate) async fn delete(images: &Images, run: &Run, id: &str) -> Result<()> {
    match try_delete(images, run, id).await? {
        Undo::Done | Undo::Kept(_) => Ok(()),
        Undo::Later(why) | Undo::Held { why, .. } => {
            Err(Error::build(format!("could not delete the image {id}: {why}"))
                .help("It is tagged with its run and expiry date; `ami-bake sweep` deletes it."))
        }
    }
}

/// Like [`delete`], but returns `Later` when EC2 does not show a new image yet.
async fn try_delete(images: &Images, run: &Run, id: &str) -> Result<Undo> {
    let doing = format!("delete the image {id}");
    // EC2's answer does not name snapshots that were deleted before, so the ledger entries are closed by the image's
    // mapping.
    let filters = vec![filter("image-id", id)];
    let parts = describe(&images.client, "self", filters, &doing).await?.first().map(snapshots).unwrap_or_default();
    let left = match deregister_with_snapshots(&images.client, id).await {
        Ok(left) => left,
        Err(failure) if failure.not_found() && images.recent.holds(id) => return Ok(not_shown()),
        Err(failure) if failure.not_found() => {
            run.ledger().close_id(IMAGE, id, Closed::Deleted);
            return Ok(Undo::Done);
        }
        Err(failure) => return Err(images.client.explain(*failure, &doing).await),
    };
    run.ledger().close_id(IMAGE, id, Closed::Deleted);
    for part in parts.iter().filter(|part| !left.iter().any(|(snapshot, _)| snapshot == *part)) {
        images.recent.seen(part);
        run.ledger().close_id(SNAPSHOT, part, Closed::Deleted);
    }
    match left.iter().find_map(|(snapshot, code)| Some((snapshot, problem(code)?))) {
        None => Ok(Undo::Done),
        Some((snapshot, why)) => {
            Err(Error::build(format!("could not {doing}: its snapshot {snapshot} still exists: {why}"))
                .help(
                    "The image was deregistered. Allow ec2:DeleteSnapshot; `ami-bake sweep` then deletes the snapshot.",
                )
                .denied())
        }
    }
}

fn not_shown() -> Undo {
    Undo::Later("EC2 does not list it yet".to_owned())
}

/// Deregisters the image, and returns the snapshots that EC2 did not delete, with its codes.
async fn deregister_with_snapshots(
    client: &Client,
    id: &str,
) -> Result<Vec<(String, SnapshotReturnCodes)>, Box<Failure>> {
    let request = client.ec2.deregister_image().image_id(id).delete_associated_snapshots(true);
    let answer = client.ask("DeregisterImage", request.send()).await?;
    Ok(answer
        .delete_snapshot_results()
        .iter()
        .filter_map(|result| Some((result.snapshot_id()?.to_owned(), result.return_code()?.clone())))
        .filter(|(_, code)| *code != SnapshotReturnCodes::Success)
        .collect())
}

/// Why a snapshot could not be deleted; `None` if it should stay because another image uses it.
fn problem(code: &SnapshotReturnCodes) -> Option<&str> {
    match code {
        SnapshotReturnCodes::Success | SnapshotReturnCodes::WarnSkipped => None,
        SnapshotReturnCodes::ErrorMissingPermissions => Some("the role is not allowed to delete it"),
        code => Some(code.as_str()),
    }
}

/// Deregisters an image and keeps its snapshots. A missing image is success.
pub(crate) async fn deregister(client: &Client, run: &Run, id: &str) -> Result<()> {
    let request = client.ec2.deregister_image().image_id(id);
    match client.ask("DeregisterImage", request.send()).await {
        Ok(_) => {}
        Err(failure) if failure.not_found() => {}
        Err(failure) => return Err(client.explain(*failure, &format!("deregister the image {id}")).await),
    }
    run.ledger().close_id(IMAGE, id, Closed::Deleted);
    Ok(())
}

/// Deletes a snapshot, unless an image uses it. A snapshot of a published image stays, and gets the image's tags.
pub(crate) async fn delete_snapshot(images: &Images, id: &str) -> Result<Undo> {
    for pause in PAUSES {
        images.client.clock().sleep(pause).await;
        let request = images.client.ec2.delete_snapshot().snapshot_id(id);
        match images.client.ask("DeleteSnapshot", request.send()).await {
            Ok(_) => return Ok(Undo::Done),
            Err(failure) if failure.not_found() => {
                return Ok(if images.recent.holds(id) { not_shown() } else { Undo::Done });
            }
            Err(failure) if failure.is(&["InvalidSnapshot.InUse"]) => {}
            Err(failure) => return Err(images.client.explain(*failure, &format!("delete the snapshot {id}")).await),
        }
    }
    held(images, id).await
}

/// Deletes a snapshot that expired. One that was tested stays: its publication is completed.
pub(crate) async fn sweep_snapshot(images: &Images, id: &str) -> Result<Undo> {
    let doing = format!("look up the snapshot {id}");
    let request = images.client.ec2.describe_snapshots().owner_ids("self").filters(filter("snapshot-id", id));
    let request = request.filters(filter("tag-key", tags::TESTED)).send();
    let tested = images.client.call("DescribeSnapshots", &doing, request).await?;
    if tested.snapshots().is_empty() {
        return delete_snapshot(images, id).await;
    }
    match held(images, id).await? {
        Undo::Later(_) => {
            Ok(Undo::Kept("it was tested, and no image uses it; delete it by hand if you don't need it".to_owned()))
        }
        held => Ok(held),
    }
}

/// Handles a snapshot that an image still uses.
async fn held(images: &Images, id: &str) -> Result<Undo> {
    let filters = vec![filter("block-device-mapping.snapshot-id", id)];
    let doing = format!("look for the image that uses the snapshot {id}");
    let holders = describe(&images.client, "self", filters, &doing).await?;
    let Some(image) = holders.iter().find(|image| is_tested(image)).or(holders.first()) else {
        return Ok(Undo::Later("EC2 says that an image uses it".to_owned()));
    };
    let name = image.image_id().unwrap_or_default();
    if is_tested(image) {
        repair_parts(&images.client, image).await?;
        return Ok(Undo::Kept(format!("it belongs to the published image {name}")));
    }
    if !tags_of(image).contains_key(tags::RUN) {
        return Ok(Undo::Kept(format!("it is used by the image {name}, which ami-bake did not make")));
    }
    Ok(Undo::Held { by: IMAGE, why: format!("it is still used by the image {name}") })
}

/// Undoes an open ledger entry of a capture or a publication. An image that is already published stays: others may use
/// it.
pub(crate) async fn undo(images: &Images, run: &Run, entry: &Entry) -> Result<Undo> {
    let mut undone = Undo::Done;
    if entry.kind == IMAGE {
        for image in found(&images.client, entry).await? {
            let id = image.image_id().unwrap_or_default();
            let published = is_tested(&image) && image.state() == Some(&ImageState::Available);
            undone = first(
                undone,
                if published { keep(images, run, &image).await? } else { try_delete(images, run, id).await? },
            );
        }
        return Ok(undone);
    }
    for id in snapshot_ids(&images.client, entry).await? {
        undone = first(undone, delete_snapshot(images, &id).await?);
    }
    Ok(undone)
}

/// The worse of two results.
fn first(one: Undo, other: Undo) -> Undo {
    let rank = |undo: &Undo| match undo {
        Undo::Done => 0,
        Undo::Kept(_) => 1,
        Undo::Held { .. } => 2,
        Undo::Later(_) => 3,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// Completes the registration of an image that was interrupted after it got its name.
async fn keep(images: &Images, run: &Run, image: &Image) -> Result<Undo> {
    repair_parts(&images.client, image).await?;
    close_published(run, image);
    Ok(Undo::Kept(format!("it is published as {}", image.name().unwrap_or_default())))
}

/// The images of an entry, as EC2 lists them. One whose ID is known counts even if it is not listed.
async fn found(client: &Client, entry: &Entry) -> Result<Vec<Image>> {
    let filters = match &entry.id {
        Some(id) => vec![filter("image-id", id)],
        None => vec![filter("name", &entry.find_by), tag_filter(tags::RUN, &entry.run)],
    };
    let mut found = describe(client, "self", filters, &format!("look for the image {:?}", entry.find_by)).await?;
    if let (Some(id), true) = (&entry.id, found.is_empty()) {
        found.push(Image::builder().image_id(id).build());
    }
    Ok(found)
}

/// The snapshots of an entry. One whose ID was never learned is found by run and volume.
async fn snapshot_ids(client: &Client, entry: &Entry) -> Result<Vec<String>> {
    if let Some(id) = &entry.id {
        return Ok(vec![id.clone()]);
    }
    let request = client
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        // A copy is found by its source snapshot.
        .filters(if entry.find_by.starts_with("snap-") {
            tag_filter(tags::COPIED_FROM, &entry.find_by)
        } else {
            filter("volume-id", &entry.find_by)
        })
        .filters(tag_filter(tags::RUN, &entry.run));
    let doing = format!("look for the snapshot of {}", entry.find_by);
    let answer = client.call("DescribeSnapshots", &doing, request.send()).await?;
    Ok(answer.snapshots.unwrap_or_default().into_iter().filter_map(|snapshot| snapshot.snapshot_id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_snapshot_that_another_image_uses_may_stay() {
        assert_eq!(problem(&SnapshotReturnCodes::WarnSkipped), None);
        assert_eq!(
            problem(&SnapshotReturnCodes::ErrorMissingPermissions),
            Some("the role is not allowed to delete it")
        );
        assert!(problem(&SnapshotReturnCodes::ErrorCodeInternalError).is_some());
    }
}
