//! CopySnapshot: starts a copy once, finds it again, and waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, Ticket};
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::{Filter, ResourceType, SnapshotState};

use super::copy_slots::{CopySlot, patiently};
use super::images::Images;
use super::tags::specification;
use crate::client::ledger::PLATFORM;
use crate::client::{Client, Failure, MissingTimer, create_once, no_retries};

/// Time limit for a copy: it takes a minute or two, an hour on a bad day (docs/dev/aws.md, "Timings").
const COPIED: Duration = Duration::from_hours(6);

/// Parameters of a copy.
pub(crate) struct SnapshotCopy<'a> {
    /// ID of the source snapshot.
    pub(crate) of: &'a str,
    /// Region of the source snapshot.
    pub(crate) from: &'a str,
    /// Presigned URL of the source region, if that is another region (see `publish::presign`).
    pub(crate) url: Option<String>,
    /// The copy's description.
    pub(crate) description: String,
    /// Whether the copy is encrypted. Default: as the source, or the account's setting.
    pub(crate) encrypted: Option<bool>,
    /// The key that encrypts the copy.
    pub(crate) key: Option<&'a str>,
    /// Tags of the copy.
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// Ledger kind; the entry is found by the source's ID.
    pub(crate) kind: &'static str,
    /// Filters that find this run's copy after a lost answer.
    pub(crate) found_by: Vec<Filter>,
    /// The operation for error messages; completes "could not …".
    pub(crate) doing: &'a str,
}

/// Starts a copy in the region of `images`, as soon as EC2 takes one more. It is in the ledger. The inner failure is EC2's
/// refusal.
pub(crate) async fn begin_copy(
    images: &Images,
    run: &Run,
    copy: &SnapshotCopy<'_>,
) -> Result<Result<(String, Ticket), Box<Failure>>> {
    let made = patiently(&images.client, run, || async {
        let slot = images.copies.wait(&images.client, run, 1).await?;
        begin_copy_now(images, run, copy, slot).await
    });
    made.await
}

/// Starts a copy in a slot that is free.
pub(crate) async fn begin_copy_now(
    images: &Images,
    run: &Run,
    copy: &SnapshotCopy<'_>,
    slot: CopySlot<'_>,
) -> Result<Result<(String, Ticket), Box<Failure>>> {
    let client = &images.client;
    run.check()?;
    let ticket = run.intend(PLATFORM, copy.kind, Some(client.region()), copy.of)?;
    let made = create_once(
        run,
        copy.doing,
        || async {
            let request = client
                .ec2
                .copy_snapshot()
                .source_region(copy.from)
                .source_snapshot_id(copy.of)
                .description(&copy.description)
                .set_presigned_url(copy.url.clone())
                .set_encrypted(copy.encrypted)
                .set_kms_key_id(copy.key.map(str::to_owned))
                .tag_specifications(specification(ResourceType::Snapshot, copy.tags))
                .customize()
                .config_override(no_retries());
            let answer = client.ask("CopySnapshot", request.send()).await?;
            Ok(answer.snapshot_id.unwrap_or_default())
        },
        || find_copy(client, copy.found_by.clone(), copy.doing),
    )
    .await;
    match made {
        Ok(id) => {
            slot.begun(&id);
            images.recent.created(&id);
            run.ledger().confirm(ticket, &id);
            Ok(Ok((id, ticket)))
        }
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused);
            }
            Ok(Err(failure))
        }
    }
}

/// A snapshot of this account that matches the filters and has not failed; a complete one is preferred.
pub(crate) async fn find_copy(client: &Client, filters: Vec<Filter>, doing: &str) -> Result<Option<String>> {
    let request = client.ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters));
    let answer = client.call("DescribeSnapshots", doing, request.send()).await?;
    let good = |state: Option<&SnapshotState>| matches!(state, Some(SnapshotState::Pending | SnapshotState::Completed));
    let best = answer.snapshots().iter().filter(|one| good(one.state()));
    let best = best.max_by_key(|one| one.state() == Some(&SnapshotState::Completed));
    Ok(best.and_then(|one| one.snapshot_id()).map(str::to_owned))
}

/// Waits until the copy `id` of the snapshot `of` is complete. EC2 accepts a copy first and checks it later; only its
/// state says why it failed.
pub(crate) async fn wait_for_copy(images: &Images, run: &Run, of: &str, id: &str) -> Result<()> {
    let mut missing = MissingTimer::new(images.client.clock(), format!("the copy {id} of the snapshot {of}"));
    let ended = images
        .snapshots
        .wait(run, id, &format!("the copy {id} of the snapshot {of} in {}", images.client.place()), COPIED, |state| {
            let Some(snapshot) = state else { return missing.missing() };
            missing.seen();
            images.recent.seen(id);
            match snapshot.state() {
                Some(SnapshotState::Completed) => Some(Ok(())),
                Some(SnapshotState::Error) => {
                    let why = snapshot.state_message().filter(|why| !why.is_empty()).unwrap_or("EC2 gave no reason");
                    let place = images.client.place();
                    Some(Err(Error::build(format!("could not copy the snapshot {of} to {place}: {why}"))))
                }
                _ => None,
            }
        })
        .await;
    if !run.cancel.is_cancelled() {
        images.copies.ended(id);
    }
    ended
}
