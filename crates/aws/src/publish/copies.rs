//! Snapshots on their way into other regions and accounts, begun while the image is still being tested.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{CopyMethod, ImagePlan};
use ami_bake_core::platform::{Candidate, Undo};
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use futures::future::join_all;

use super::destination::{Destination, destinations};
use super::presign::{Ask, presigned};
use super::share::lend;
use crate::capture::{SNAPSHOT, Take, take};
use crate::image::{CopyAsk, begin_copy, delete_snapshot, filter, wait_for_copy};
use crate::machine::created;
use crate::platform::Inner;
use crate::source::described;

/// When sweep may take a copy that no image was made of.
const LIFETIME: Duration = Duration::from_hours(24);

/// What was begun: by place and source snapshot, the copy's id there or why there is none.
#[derive(Default)]
pub(crate) struct Copies(Mutex<HashMap<(String, String), Result<String, Error>>>);

impl Copies {
    fn take(&self, place: &str, snapshot: &str) -> Option<Result<String, Error>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(place.to_owned(), snapshot.to_owned()))
    }

    fn put(&self, place: &str, snapshot: &str, copy: Result<String, Error>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((place.to_owned(), snapshot.to_owned()), copy);
    }
}

/// Begins the copies of a candidate's snapshots to every place that will get the image. What can't begin is told when it
/// is needed.
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
    let all = destinations(home, &[distribution]);
    join_all(all.iter().filter(|to| !to.home).flat_map(|to| {
        candidate.parts.iter().map(async move |part| {
            let copy = begin(home, run, plan, to, part).await;
            home.copies.put(to.place(), part, copy);
        })
    }))
    .await;
}

/// Asks for one copy. It stands in the ledger, found by the snapshot that it is made of.
async fn begin(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, to: &Destination, source: &str) -> Result<String> {
    let (from, run) = (home.client.region(), &to.run(run));
    if let Some(account) = to.account() {
        lend(home, source, account).await?;
    }
    let doing = format!("copy the snapshot {source} from {from} to {}", to.place());
    let mut tags = created(run, &plan.settings.name, Some(&plan.namespace), Some(&plan.key), LIFETIME);
    tags.insert(tags::COPIED_FROM.to_owned(), source.to_owned());
    let key = to.region.kms_key.as_deref();
    let url = if to.region.region == from {
        None
    } else {
        // Whoever asks signs: in another account its own role.
        let signer = home.at(from, to.role.as_deref());
        let ask = Ask { snapshot: source, to: &to.region.region, kms_key: key };
        Some(presigned(&signer.client, &ask, run.clock().now().into()).await?)
    };
    let ask = CopyAsk {
        of: source,
        from,
        url,
        description: format!("{} {}, copied by ami-bake from {source}", plan.key, plan.version),
        encrypted: key.map(|_| true),
        key,
        tags: &tags,
        kind: SNAPSHOT,
        found_by: vec![
            filter(&format!("tag:{}", tags::COPIED_FROM), source),
            filter(&format!("tag:{}", tags::RUN), run.id()),
        ],
        doing: &doing,
    };
    match begin_copy(&to.there, run, &ask).await? {
        Ok((id, _)) => Ok(id),
        Err(failure) => Err(to.there.client.explain(*failure, &doing).await),
    }
}

/// The complete copy of a snapshot at a place: the one that was begun while the image was tested, else a new one. One that
/// failed is taken away.
pub(super) async fn complete(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    to: &Destination,
    source: &str,
) -> Result<String> {
    let id = match home.copies.take(to.place(), source) {
        Some(begun) => begun?,
        None => begin(home, run, plan, to, source).await?,
    };
    match wait_for_copy(&to.there, run, source, &id).await {
        Ok(()) => Ok(id),
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
        Err(error) => {
            if let Ok(Undo::Done) = delete_snapshot(&to.there, &id).await {
                run.ledger().close_id(SNAPSHOT, &id, Closed::Deleted)?;
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
            "The role must be allowed to use the key of the snapshot at home (kms:DescribeKey, kms:CreateGrant, kms:Decrypt) \
             and the key in {region} (`{field}`)."
        ),
        Some(account) => format!(
            "The policy of the snapshot's key at home must allow the account {account} to use it (kms:DescribeKey, \
             kms:CreateGrant, kms:Decrypt, kms:ReEncryptFrom), and the role there the key in {region} (`targets: [{{role: …, \
             {field}}}]`)."
        ),
    }
}
