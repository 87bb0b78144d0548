//! CopySnapshot: asked for once, found again, waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, Ticket};
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::{Filter, ResourceType, SnapshotState};

use super::once::{no_retries, once};
use crate::capture::Unknown;
use crate::error::Failure;
use crate::machine::specification;
use crate::platform::{Inner, PLATFORM};

/// A copy takes a minute or two, an hour on a bad day (research: latency).
const COPIED: Duration = Duration::from_hours(6);

/// A copy to be made.
pub(crate) struct CopyAsk<'a> {
    /// The snapshot.
    pub(crate) of: &'a str,
    /// Its region.
    pub(crate) from: &'a str,
    /// The source region's leave, where it is another region (see `publish::presign`).
    pub(crate) url: Option<String>,
    /// The copy's description.
    pub(crate) description: String,
    /// Whether it is encrypted; as the source or the account says without.
    pub(crate) encrypted: Option<bool>,
    /// The key that encrypts it.
    pub(crate) key: Option<&'a str>,
    /// Its tags.
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// The ledger's kind; the entry is found by the source's id.
    pub(crate) kind: &'static str,
    /// What finds the copy of this run after an answer that was lost.
    pub(crate) found_by: Vec<Filter>,
    /// What it is for, in words.
    pub(crate) doing: &'a str,
}

/// Asks for a copy in the region of `aws`. It stands in the ledger. The inner failure is EC2's refusal.
pub(crate) async fn begin_copy(
    aws: &Inner,
    run: &Run,
    ask: &CopyAsk<'_>,
) -> Result<Result<(String, Ticket), Box<Failure>>> {
    let client = &aws.client;
    run.check()?;
    let ticket = run.intend(PLATFORM, ask.kind, Some(client.region()), ask.of)?;
    let made = once(
        client,
        || async {
            let request = client
                .ec2
                .copy_snapshot()
                .source_region(ask.from)
                .source_snapshot_id(ask.of)
                .description(&ask.description)
                .set_presigned_url(ask.url.clone())
                .set_encrypted(ask.encrypted)
                .set_kms_key_id(ask.key.map(str::to_owned))
                .tag_specifications(specification(ResourceType::Snapshot, ask.tags))
                .customize()
                .config_override(no_retries());
            let answer = client.ask("CopySnapshot", request.send()).await?;
            Ok(answer.snapshot_id.unwrap_or_default())
        },
        || find_copy(aws, ask.found_by.clone(), ask.doing),
    )
    .await;
    match made {
        Ok(id) => {
            aws.captures.young.born(&id);
            run.ledger().confirm(ticket, &id)?;
            Ok(Ok((id, ticket)))
        }
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            Ok(Err(failure))
        }
    }
}

/// A snapshot of ours that passes the filters and did not fail; a complete one rather than one that is on its way.
pub(crate) async fn find_copy(aws: &Inner, filters: Vec<Filter>, doing: &str) -> Result<Option<String>> {
    let request = aws.client.ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters));
    let answer = aws.client.call("DescribeSnapshots", doing, request.send()).await?;
    let good = |state: Option<&SnapshotState>| matches!(state, Some(SnapshotState::Pending | SnapshotState::Completed));
    let best = answer.snapshots().iter().filter(|one| good(one.state()));
    let best = best.max_by_key(|one| one.state() == Some(&SnapshotState::Completed));
    Ok(best.and_then(|one| one.snapshot_id()).map(str::to_owned))
}

/// Waits until the copy `id` of the snapshot `of` is complete. A copy is accepted first and judged later: what it failed of
/// is in its state alone.
pub(crate) async fn wait_for_copy(aws: &Inner, run: &Run, of: &str, id: &str) -> Result<()> {
    let mut unknown = Unknown::new(aws.client.clock(), format!("the copy {id} of the snapshot {of}"));
    aws.captures
        .snapshots
        .wait(run, id, COPIED, |state| {
            let Some(snapshot) = state else { return unknown.missing() };
            unknown.seen();
            aws.captures.young.seen(id);
            match snapshot.state() {
                Some(SnapshotState::Completed) => Some(Ok(())),
                Some(SnapshotState::Error) => {
                    let why = snapshot.state_message().filter(|why| !why.is_empty()).unwrap_or("EC2 gives no reason");
                    let place = aws.client.place();
                    Some(Err(Error::build(format!("copy the snapshot {of} to {place}: {why}"))))
                }
                _ => None,
            }
        })
        .await
}
