//! The images and snapshots of one region and account: what is waited for there, and what is known of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::poll::{PollAnswer, Poller};
use aws_sdk_ec2::types::{Image, Snapshot};

use super::cache::DescriptionCache;
use crate::client::{Client, RecentlyCreated, Timing, one_of, poller};

/// The pause between two looks: DescribeImages and DescribeSnapshots take 20 calls a second.
const INTERVAL: Duration = Duration::from_secs(1);
/// A shorter pause for images, and how long it lasts: a registration takes a second, the copies of CreateImage minutes.
const EAGER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// Values in one filter; EC2's limit.
const BATCH: usize = 200;

/// What the functions of this module share in one region and account.
pub(crate) struct Images {
    /// The client of the region and account.
    pub(crate) client: Arc<Client>,
    /// Snapshots that somebody waits for.
    pub(crate) snapshots: Poller<Snapshot>,
    /// Images that somebody waits for.
    pub(super) pending: Poller<Image>,
    /// Resources that were created, but not described by EC2 yet.
    pub(crate) recent: RecentlyCreated,
    /// Descriptions of images that were looked up.
    pub(crate) descriptions: DescriptionCache,
    /// UEFI variables by image, as far as they are known; none where an image has none.
    uefi: Mutex<HashMap<String, Option<String>>>,
}

impl Images {
    /// Creates the value; makes no request.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self {
            snapshots: poller(&client, Timing { interval: INTERVAL, eager: None }, snapshots),
            pending: poller(&client, Timing { interval: INTERVAL, eager: Some(EAGER) }, images),
            recent: RecentlyCreated::new(client.clock()),
            descriptions: DescriptionCache::default(),
            uefi: Mutex::default(),
            client,
        }
    }

    /// The UEFI variables of an image, where it is known whether it has any.
    #[expect(clippy::option_option, reason = "not looked up yet is not the same as an image without variables")]
    pub(super) fn known_uefi(&self, image: &str) -> Option<Option<String>> {
        self.uefi.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned()
    }

    /// Keeps the UEFI variables that an image was registered with.
    pub(super) fn keep_uefi(&self, image: &str, data: Option<String>) {
        self.uefi.lock().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned(), data);
    }
}

// Filters, not lists of ids: one id that EC2 does not know (yet) would fail the question for all others.

async fn snapshots(client: Arc<Client>, ids: Vec<String>) -> PollAnswer<Snapshot> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        let request = client.ec2.describe_snapshots().owner_ids("self").filters(one_of("snapshot-id", ids));
        let answer = client.call("DescribeSnapshots", "watch the snapshots", request.send()).await?;
        let all = answer.snapshots.unwrap_or_default().into_iter();
        found.extend(all.filter_map(|snapshot| Some((snapshot.snapshot_id()?.to_owned(), snapshot))));
    }
    Ok(found)
}

async fn images(client: Arc<Client>, ids: Vec<String>) -> PollAnswer<Image> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        let request = client.ec2.describe_images().owners("self").filters(one_of("image-id", ids));
        let answer = client.call("DescribeImages", "watch the images", request.send()).await?;
        let all = answer.images.unwrap_or_default().into_iter();
        found.extend(all.filter_map(|image| Some((image.image_id()?.to_owned(), image))));
    }
    Ok(found)
}
