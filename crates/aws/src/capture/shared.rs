//! What all captures of a run share: one poller over all snapshots, one over all images.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::poll::{Answer, Poller};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{Filter, Image, Snapshot};

use crate::client::Client;

/// The pause between two looks (research: latency, 0 row 1).
const INTERVAL: Duration = Duration::from_secs(1);
/// Values in one filter; EC2's limit.
const BATCH: usize = 200;
/// How long something that was just created may be unknown.
const UNKNOWN: Duration = Duration::from_mins(1);

/// Pollers over what captures wait for.
pub(crate) struct Shared {
    /// Snapshots.
    pub(crate) snapshots: Poller<Snapshot>,
    /// Images.
    pub(crate) images: Poller<Image>,
}

impl Shared {
    /// Pollers that ask nothing yet.
    pub(crate) fn new(client: &Arc<Client>, clock: &Arc<dyn Clock>) -> Self {
        let (one, other) = (Arc::clone(client), Arc::clone(client));
        Self {
            snapshots: Poller::new(
                Arc::clone(clock),
                INTERVAL,
                Box::new(move |ids| {
                    let client = Arc::clone(&one);
                    Box::pin(async move { snapshots(&client, &ids).await })
                }),
            ),
            images: Poller::new(
                Arc::clone(clock),
                INTERVAL,
                Box::new(move |ids| {
                    let client = Arc::clone(&other);
                    Box::pin(async move { images(&client, &ids).await })
                }),
            ),
        }
    }
}

// Filters, not lists of ids: one id that EC2 does not know (yet) would fail the question for all others.

async fn snapshots(client: &Client, ids: &[String]) -> Answer<Snapshot> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        let request = client.ec2.describe_snapshots().owner_ids("self").filters(one_of("snapshot-id", ids));
        let answer = client.call("DescribeSnapshots", "watch the snapshots", request.send()).await?;
        found.extend(
            answer
                .snapshots
                .unwrap_or_default()
                .into_iter()
                .filter_map(|snapshot| Some((snapshot.snapshot_id()?.to_owned(), snapshot))),
        );
    }
    Ok(found)
}

async fn images(client: &Client, ids: &[String]) -> Answer<Image> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        let request = client.ec2.describe_images().owners("self").filters(one_of("image-id", ids));
        let answer = client.call("DescribeImages", "watch the images", request.send()).await?;
        found.extend(
            answer
                .images
                .unwrap_or_default()
                .into_iter()
                .filter_map(|image| Some((image.image_id()?.to_owned(), image))),
        );
    }
    Ok(found)
}

fn one_of(name: &str, ids: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(ids.to_vec())).build()
}

/// Judges "EC2 does not know it": for a while that is normal, then somebody took it away.
pub(crate) struct Unknown {
    clock: Arc<dyn Clock>,
    since: Duration,
    what: String,
}

impl Unknown {
    /// For something that was created now; `what` names it in words: "the snapshot snap-1".
    pub(crate) fn new(clock: &Arc<dyn Clock>, what: impl Into<String>) -> Self {
        Self { clock: Arc::clone(clock), since: clock.elapsed(), what: what.into() }
    }

    /// It was there again.
    pub(crate) fn seen(&mut self) {
        self.since = self.clock.elapsed();
    }

    /// A verdict once it was missing for too long.
    pub(crate) fn missing<T>(&self) -> Option<Result<T>> {
        (self.clock.elapsed().saturating_sub(self.since) > UNKNOWN).then(|| {
            Err(Error::build(format!("wait for {}: it is gone", self.what))
                .help("Something else deleted it, such as a clean-up job of the account."))
        })
    }
}
