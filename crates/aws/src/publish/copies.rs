//! Snapshots on their way into other regions, begun while the image is still being tested.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{CopyMethod, ImagePlan, RegionPlan};
use ami_bake_core::platform::{Candidate, Undo};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{ResourceType, Snapshot, SnapshotState};
use futures::future::join_all;

use super::presign::{Ask, presigned};
use crate::capture::{SNAPSHOT, Take, Unknown, take};
use crate::image::{delete_snapshot, filter, no_retries, once};
use crate::machine::{created, specification};
use crate::platform::{Inner, PLATFORM};
use crate::source::described;

/// A copy takes a minute or two, an hour on a bad day (research: latency).
const COPIED: Duration = Duration::from_hours(6);
/// When sweep may take a copy that no image was made of.
const LIFETIME: Duration = Duration::from_hours(24);

/// What was begun: by region and source snapshot, the copy's id there or why there is none.
#[derive(Default)]
pub(crate) struct Copies(Mutex<HashMap<(String, String), Result<String, Error>>>);

impl Copies {
    fn take(&self, region: &str, snapshot: &str) -> Option<Result<String, Error>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(region.to_owned(), snapshot.to_owned()))
    }

    fn put(&self, region: &str, snapshot: &str, copy: Result<String, Error>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((region.to_owned(), snapshot.to_owned()), copy);
    }
}

/// Begins the copies of a candidate's snapshots into every region that will get the image. What can't begin is told when
/// it is needed.
pub(crate) async fn prepare(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
    let distribution = &plan.settings.distribution;
    if distribution.copy == CopyMethod::Image {
        return;
    }
    // EC2's own images are copied by EC2, with their billing code.
    match described(home, run, &candidate.image.id).await {
        Ok(image) if take(&image) == Take::Snapshots => {}
        _ => return,
    }
    let others = distribution.regions.iter().filter(|region| region.region != home.client.region());
    join_all(others.flat_map(|region| {
        candidate.parts.iter().map(async move |part| {
            let copy = begin(home, run, plan, region, part).await;
            home.copies.put(&region.region, part, copy);
        })
    }))
    .await;
}

/// Asks for one copy. It stands in the ledger, found by the snapshot that it is made of.
async fn begin(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, region: &RegionPlan, source: &str) -> Result<String> {
    let there = home.in_region(&region.region);
    let client = &there.client;
    let doing = format!("copy the snapshot {source} from {} to {}", home.client.region(), region.region);
    let mut tags = created(run, &plan.settings.name, Some(&plan.namespace), Some(&plan.key), LIFETIME);
    tags.insert(tags::COPIED_FROM.to_owned(), source.to_owned());
    let ask = Ask { snapshot: source, to: &region.region, kms_key: region.kms_key.as_deref() };
    let url = presigned(&home.client, &ask, run.clock().now().into()).await?;
    run.check()?;
    let ticket = run.intend(PLATFORM, SNAPSHOT, Some(client.region()), source)?;
    let made = once(
        client,
        || async {
            let request = client
                .ec2
                .copy_snapshot()
                .source_region(home.client.region())
                .source_snapshot_id(source)
                .description(format!("{} {}, copied by ami-bake from {source}", plan.key, plan.version))
                .presigned_url(&url)
                .set_encrypted(region.kms_key.as_ref().map(|_| true))
                .set_kms_key_id(region.kms_key.clone())
                .tag_specifications(specification(ResourceType::Snapshot, &tags))
                .customize()
                .config_override(no_retries());
            let answer = client.ask("CopySnapshot", request.send()).await?;
            Ok(answer.snapshot_id.unwrap_or_default())
        },
        || async {
            let request = client
                .ec2
                .describe_snapshots()
                .owner_ids("self")
                .filters(filter(&format!("tag:{}", tags::COPIED_FROM), source))
                .filters(filter(&format!("tag:{}", tags::RUN), run.id()));
            let answer = client.call("DescribeSnapshots", &doing, request.send()).await?;
            Ok(answer.snapshots().first().and_then(Snapshot::snapshot_id).map(str::to_owned))
        },
    )
    .await;
    match made {
        Ok(id) => {
            there.captures.young.born(&id);
            run.ledger().confirm(ticket, &id)?;
            Ok(id)
        }
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            Err(client.explain(*failure, &doing).await)
        }
    }
}

/// The complete copy of a snapshot in a region: the one that was begun while the image was tested, else a new one. One
/// that failed is taken away.
pub(super) async fn complete(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    region: &RegionPlan,
    source: &str,
) -> Result<String> {
    let id = match home.copies.take(&region.region, source) {
        Some(begun) => begun?,
        None => begin(home, run, plan, region, source).await?,
    };
    let there = home.in_region(&region.region);
    match wait(&there, run, source, &id).await {
        Ok(()) => Ok(id),
        Err(error) if run.cancel.is_cancelled() => Err(error),
        Err(error) => {
            if let Ok(Undo::Done) = delete_snapshot(&there, &id).await {
                run.ledger().close_id(SNAPSHOT, &id, Closed::Deleted)?;
            }
            Err(error)
        }
    }
}

async fn wait(there: &Inner, run: &Run, source: &str, id: &str) -> Result<()> {
    let mut unknown = Unknown::new(there.client.clock(), format!("the copy {id} of {source}"));
    there
        .captures
        .snapshots
        .wait(run, id, COPIED, |state| {
            let Some(snapshot) = state else { return unknown.missing() };
            unknown.seen();
            there.captures.young.seen(id);
            match snapshot.state() {
                Some(SnapshotState::Completed) => Some(Ok(())),
                Some(SnapshotState::Error) => Some(Err(failed(&snapshot, source, there.client.region()))),
                _ => None,
            }
        })
        .await
}

/// A copy is accepted first and judged later: what it failed of is in its state alone.
fn failed(copy: &Snapshot, source: &str, region: &str) -> Error {
    let why = copy.state_message().filter(|why| !why.is_empty()).unwrap_or("EC2 gives no reason");
    Error::build(format!("copy the snapshot {source} to {region}: {why}")).help(format!(
        "The role must be allowed to use the key of the snapshot at home (kms:DescribeKey, kms:CreateGrant, kms:Decrypt) and \
         the key in {region} (`regions: [{{region: {region}, kms-key: …}}]`)."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_failed_says_why_and_where() {
        let copy = Snapshot::builder().state_message("Given key ID is not accessible").build();
        let error = failed(&copy, "snap-1", "eu-west-1");
        assert_eq!(error.message(), "copy the snapshot snap-1 to eu-west-1: Given key ID is not accessible");
        assert!(error.help_text().unwrap().contains("region: eu-west-1"));
    }
}
