//! What all captures of a run share: one poller over all snapshots, one over all images.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::poll::{Answer, Poller};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{Filter, Image, Snapshot};

use crate::client::Client;

/// The pause between two looks (research: latency, 0 row 1).
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause while an image was only just asked for.
const EAGER: Duration = Duration::from_millis(300);
/// How long that is.
const FRESH: Duration = Duration::from_secs(5);
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
    /// What was created and not seen yet.
    pub(crate) young: Young,
    /// UEFI variables by image, as far as they are known; none where an image has none.
    pub(crate) uefi: Mutex<HashMap<String, Option<String>>>,
}

/// What was created a moment ago and was not described since. Until it is, "not found" does not say that it is gone.
pub(crate) struct Young {
    clock: Arc<dyn Clock>,
    born: Mutex<HashMap<String, Duration>>,
}

impl Young {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), born: Mutex::default() }
    }

    /// It was created now.
    pub(crate) fn born(&self, id: &str) {
        self.lock().insert(id.to_owned(), self.clock.elapsed());
    }

    /// It was seen, or its deletion was accepted.
    pub(crate) fn seen(&self, id: &str) {
        self.lock().remove(id);
    }

    /// True when it may be there although EC2 does not find it.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let now = self.clock.elapsed();
        self.lock().get(id).is_some_and(|born| now.saturating_sub(*born) < UNKNOWN)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.born.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            // A registration takes a second; the copies of CreateImage take minutes.
            images: Poller::eager(
                Arc::clone(clock),
                (EAGER, FRESH),
                INTERVAL,
                Box::new(move |ids| {
                    let client = Arc::clone(&other);
                    Box::pin(async move { images(&client, &ids).await })
                }),
            ),
            young: Young::new(clock),
            uefi: Mutex::default(),
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

#[cfg(test)]
mod tests {
    use ami_bake_core::clock::SystemClock;

    use super::*;

    #[test]
    fn only_what_was_never_seen_is_young() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let young = Young::new(&clock);
        young.born("snap-1");
        young.born("snap-2");
        young.seen("snap-2");
        assert!(young.holds("snap-1"));
        assert!(!young.holds("snap-2") && !young.holds("snap-of-another-run"));
    }
}
