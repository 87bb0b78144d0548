//! Creates the private copy of a source: copies of its snapshots, then an image like the source with them.

use std::collections::BTreeMap;

use ami_bake_core::ledger::{Closed, Entry, Ticket};
use ami_bake_core::platform::Undo;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Filter, Image};
use futures::future::try_join_all;

use super::key::{LineageKey, of_part};
use crate::client::ledger::{IMAGE, SNAPSHOT_COPY};
use crate::client::tag_filter;
use crate::image::{self, CreateImageError, Device, Images, SnapshotCopy, devices};

/// The copy of one snapshot.
struct Part {
    /// ID of the source's snapshot.
    of: String,
    /// ID of the copy.
    id: String,
    /// Ledger entry of the copy; `None` if an earlier run started it.
    ticket: Option<Ticket>,
}

/// Creates the copy. If it fails, its parts are deleted; after a cancel the clean-up deletes them.
pub(super) async fn make(
    images: &Images,
    run: &Run,
    source: &Image,
    key: &LineageKey,
    broken: Vec<String>,
) -> Result<()> {
    let client = &images.client;
    let doing = format!("copy {} into this account", key.source);
    let request = client.sts.get_caller_identity().send();
    let account = client.call("GetCallerIdentity", &doing, request).await?.account;
    if account.is_some() && account.as_deref() == source.owner_id() {
        // Snapshots of this account are incremental anyway.
        return Ok(());
    }
    run.check()?;
    for id in broken {
        image::delete(images, run, &id).await?;
    }
    run.progress(format!(
        "Copying {} into this account in the background; later bakes start from the copy",
        key.source
    ));
    let root = source.root_device_name().unwrap_or_default();
    let all = devices(source);
    let parts = all.iter().filter_map(|device: &Device| Some((device.snapshot()?, device.name == root)));
    let parts = try_join_all(parts.map(|(snapshot, root)| part(images, run, key, snapshot, root))).await?;
    match finish(images, run, source, key, &parts).await {
        Ok(()) => Ok(()),
        Err(error) if run.cancel.is_cancelled() => Err(error),
        Err(error) => {
            for part in &parts {
                // Parts that can't be deleted stay in the ledger; the reason why there is no copy matters more.
                if let Some(ticket) = part.ticket
                    && let Ok(Undo::Done) = image::delete_snapshot(images, &part.id).await
                {
                    run.ledger().close(ticket, Closed::Deleted);
                }
            }
            Err(error)
        }
    }
}

async fn finish(images: &Images, run: &Run, source: &Image, key: &LineageKey, parts: &[Part]) -> Result<()> {
    try_join_all(parts.iter().map(|part| image::wait_for_copy(images, run, &part.of, &part.id))).await?;
    let copies: BTreeMap<String, String> = parts.iter().map(|part| (part.of.clone(), part.id.clone())).collect();
    let mut spec = key.spec(run, source, &copies);
    image::fill(images, run, &mut spec, source, None).await;
    let image = match image::create(images, run, &spec).await {
        Ok(image) => image,
        Err(CreateImageError::NameTaken) => {
            return Err(Error::build(format!("could not register {:?}: another run registered it first", spec.name))
                .help("Later bakes start from that copy."));
        }
        Err(CreateImageError::Failed(error)) => return Err(error),
    };
    for ticket in parts.iter().filter_map(|part| part.ticket) {
        run.ledger().close(ticket, Closed::Published);
    }
    run.ledger().close_id(IMAGE, image.image_id().unwrap_or_default(), Closed::Published);
    Ok(())
}

/// The copy of one snapshot of the source: one that an earlier run started, or a new one.
async fn part(images: &Images, run: &Run, key: &LineageKey, of: &str, root: bool) -> Result<Part> {
    let client = &images.client;
    let doing = format!("copy the snapshot {of} of {}", key.source);
    if let Some(id) = image::find_copy(&images.client, key.part(of), &doing).await? {
        return Ok(Part { of: of.to_owned(), id, ticket: None });
    }
    let tags = key.tags(run, Some(of));
    let copy = SnapshotCopy {
        of,
        from: client.region(),
        url: None,
        description: format!("copy of {of} of {}, made by ami-bake", key.source),
        // The manifest only sets the root's encryption.
        encrypted: key.encrypted.filter(|_| root),
        key: key.key.as_deref().filter(|_| root),
        tags: &tags,
        kind: SNAPSHOT_COPY,
        found_by: vec![of_part(of), of_run(run.id())],
        doing: &doing,
    };
    match image::begin_copy(images, run, &copy).await? {
        Ok((id, ticket)) => Ok(Part { of: of.to_owned(), id, ticket: Some(ticket) }),
        Err(failure) if failure.not_found() => {
            Err(Error::preflight(format!("could not {doing}: its owner shares the image but not the snapshot"))
                .help("Remove `machine.lineage` for this image."))
        }
        Err(failure) => Err(client.explain(*failure, &doing).await),
    }
}

fn of_run(run: &str) -> Filter {
    tag_filter(tags::RUN, run)
}

/// Undoes an open ledger entry of a copy.
pub(crate) async fn undo(images: &Images, entry: &Entry) -> Result<Undo> {
    let id = if let Some(id) = entry.id.clone() {
        Some(id)
    } else {
        let doing = format!("look for the copy of the snapshot {}", entry.find_by);
        image::find_copy(&images.client, vec![of_part(&entry.find_by), of_run(&entry.run)], &doing).await?
    };
    match id {
        Some(id) => image::delete_snapshot(images, &id).await,
        None => Ok(Undo::Done),
    }
}
