//! Copies snapshots to other regions and accounts: starts while the image is still being tested, and waits when it is
//! published.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{CopyMethod, ImagePlan};
use ami_bake_core::platform::{Candidate, Undo};
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use futures::future::join_all;

use super::destination::{Destination, destinations};
use super::presign::{PresignRequest, presigned};
use super::publisher::Publisher;
use crate::client::ledger::SNAPSHOT;
use crate::client::tag_filter;
use crate::image::{
    CaptureMethod, CopySlot, SnapshotCopy, begin_copy, begin_copy_now, capture_method, created, delete_snapshot,
    described, is_quota, wait_for_copy,
};

/// Lifetime of a copy from which no image was registered.
const LIFETIME: Duration = Duration::from_hours(24);

/// Starts the copies of a candidate's snapshots to every destination. Copies that can't start are reported when they
/// are needed.
pub(crate) async fn prepare(publisher: &Publisher, run: &Run, plan: &ImagePlan, candidate: &Candidate) {
    let distribution = &plan.settings.distribution;
    if distribution.copy == CopyMethod::Image {
        return;
    }
    // Images that EC2 created are copied by EC2, with their billing code.
    match described(&publisher.home, run, &candidate.image.id).await {
        Ok(image) if capture_method(&image) == CaptureMethod::Snapshots => {}
        _ => return,
    }
    let all = destinations(&publisher.places, &[distribution]);
    join_all(all.iter().filter(|to| !to.home).flat_map(|to| {
        candidate.parts.iter().map(async move |part| {
            // Where EC2 takes no further copy now, the publication waits for its turn.
            let Some(slot) = to.images.copies.free(1) else { return };
            match begin(publisher, run, plan, to, part, Some(slot)).await {
                Ok(Some(id)) => publisher.copies.put(to.place(), part, Ok(id)),
                Ok(None) => {}
                Err(error) => publisher.copies.put(to.place(), part, Err(error)),
            }
        })
    }))
    .await;
}

/// Starts one copy, in this slot or in the next one that is free. Its ledger entry is found by the snapshot that it is made
/// of. None where EC2 takes no copy in this slot, since the account's quota is lower.
async fn begin(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    to: &Destination,
    source: &str,
    slot: Option<CopySlot<'_>>,
) -> Result<Option<String>> {
    let (from, run) = (publisher.client().region(), &to.run(run));
    if let Some(account) = to.account() {
        publisher.lend_snapshot(source, account).await?;
    }
    let doing = format!("copy the snapshot {source} from {from} to {}", to.place());
    let mut tags = created(run, &plan.settings.name, Some(&plan.namespace), Some(&plan.key), LIFETIME);
    tags.extend(plan.settings.tags.clone());
    tags.insert(tags::COPIED_FROM.to_owned(), source.to_owned());
    let key = to.region.kms_key.as_deref();
    let url = if to.region.region == from {
        None
    } else {
        // The requesting account signs the URL: in another account its own role.
        let signer = publisher.places.clients().at(from, to.role.as_deref());
        let request = PresignRequest { snapshot: source, to: &to.region.region, kms_key: key };
        Some(presigned(&signer, &request, run.clock().now().into()).await?)
    };
    let copy = SnapshotCopy {
        of: source,
        from,
        url,
        description: format!("{} {}, copied by ami-bake from {source}", plan.key, plan.version),
        encrypted: key.map(|_| true),
        key,
        tags: &tags,
        kind: SNAPSHOT,
        found_by: vec![tag_filter(tags::COPIED_FROM, source), tag_filter(tags::RUN, run.id())],
        doing: &doing,
    };
    let at_once = slot.is_some();
    let begun = match slot {
        Some(slot) => begin_copy_now(&to.images, run, &copy, slot).await?,
        None => begin_copy(&to.images, run, &copy).await?,
    };
    match begun {
        Ok((id, _)) => Ok(Some(id)),
        Err(failure) if at_once && is_quota(&failure) => Ok(None),
        Err(failure) => Err(to.client().explain(*failure, &doing).await),
    }
}

/// The complete copy of a snapshot at a destination: one that was started during the test, else a new one. A failed
/// copy is deleted.
pub(super) async fn complete(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    to: &Destination,
    source: &str,
) -> Result<String> {
    let id = match publisher.copies.take(to.place(), source) {
        Some(begun) => begun?,
        None => begin(publisher, run, plan, to, source, None)
            .await?
            .ok_or_else(|| Error::internal(format!("the copy of {source} was neither made nor refused")))?,
    };
    match wait_for_copy(&to.images, run, source, &id).await {
        Ok(()) => Ok(id),
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
        Err(error) => {
            if let Ok(Undo::Done) = delete_snapshot(&to.images, &id).await {
                run.ledger().close_id(SNAPSHOT, &id, Closed::Deleted);
            }
            Err(error.help(help(to)))
        }
    }
}

fn help(to: &Destination) -> String {
    let region = &to.region.region;
    let field = format!("regions: [{{region: {region}, kms-key: …}}]");
    match to.account() {
        None => format!(
            "The role must be allowed to use the key of the snapshot in the home region (kms:DescribeKey, kms:CreateGrant, kms:Decrypt) \
             and the key in {region} (`{field}`)."
        ),
        Some(account) => format!(
            "The policy of the snapshot's key in the home region must allow the account {account} to use it (kms:DescribeKey, \
             kms:CreateGrant, kms:Decrypt, kms:ReEncryptFrom), and the role there must be allowed to use the key in {region} (`targets: [{{role: …, \
             {field}}}]`)."
        ),
    }
}
