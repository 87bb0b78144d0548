//! The images and snapshots of one region and account: pollers and caches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::poll::{PollAnswer, Poller};
use aws_sdk_ec2::types::{Image, Snapshot};

use super::cache::DescriptionCache;
use super::copy_slots::CopySlots;
use crate::client::{Client, RecentlyCreated, Timing, one_of, poller};

/// Pause between two requests: DescribeImages and DescribeSnapshots allow 20 calls a second.
const INTERVAL: Duration = Duration::from_secs(1);
/// A shorter pause for images, and how long after the begin of a wait it applies: a registration takes a second, the
/// copies of CreateImage take minutes.
const EAGER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// Maximum number of values per filter; EC2's limit.
const BATCH: usize = 200;

/// Clients, pollers and caches for the images of one region and account.
pub(crate) struct Images {
    /// The client of the region and account.
    pub(crate) client: Arc<Client>,
    /// Poller of snapshots.
    pub(crate) snapshots: Poller<Snapshot>,
    /// Poller of images.
    pub(super) pending: Poller<Image>,
    /// Resources that were created but not described yet.
    pub(crate) recent: RecentlyCreated,
    /// Descriptions of images that were looked up.
    pub(crate) descriptions: DescriptionCache,
    /// Copies that are under way into this region.
    pub(crate) copies: CopySlots,
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
            copies: CopySlots::default(),
            uefi: Mutex::default(),
            client,
        }
    }

    /// The cached UEFI variables of an image; the outer `None` means that they were not fetched.
    #[expect(clippy::option_option, reason = "not looked up yet is not the same as an image without variables")]
    pub(super) fn known_uefi(&self, image: &str) -> Option<Option<String>> {
        self.uefi.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned()
    }

    /// Caches the UEFI variables that an image was registered with.
    pub(super) fn keep_uefi(&self, image: &str, data: Option<String>) {
        self.uefi.lock().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned(), data);
    }
}

// Filters instead of ID lists: one ID that EC2 does not know (yet) would fail the request for all others.

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
