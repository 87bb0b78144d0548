//! State that all publications of the platform share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::plan::Share;
use ami_bake_core::{Result, Run};
use aws_sdk_ec2::types::Image;

use super::copies::Copies;
use super::share::{share, share_snapshot, unshare, unshare_snapshot};
use crate::client::{Client, PerPlace};
use crate::image::{self, Images};

/// Publishes images from the home region to other regions and accounts.
pub(crate) struct Publisher {
    /// The images of each region and account.
    pub(super) places: Arc<PerPlace<Images>>,
    /// The images of the home region.
    pub(super) home: Arc<Images>,
    /// Started copies of snapshots.
    pub(super) copies: Copies,
    /// Snapshots and images that were shared with an account, for its copy alone.
    lent: Mutex<BTreeSet<(String, String)>>,
}

impl Publisher {
    /// A publisher without started copies.
    pub(crate) fn new(places: Arc<PerPlace<Images>>) -> Self {
        Self { home: places.home(), places, copies: Copies::default(), lent: Mutex::default() }
    }

    /// Lets another account copy a snapshot, until [`Publisher::take_back`].
    pub(super) async fn lend_snapshot(&self, snapshot: &str, account: &str) -> Result<()> {
        self.note(snapshot, account);
        share_snapshot(self.client(), snapshot, account).await
    }

    /// Lets another account copy an image with all that it consists of, until [`Publisher::take_back`].
    pub(super) async fn lend(&self, image: &Image, account: &str) -> Result<()> {
        for part in image::snapshots(image) {
            self.lend_snapshot(&part, account).await?;
        }
        let id = image.image_id().unwrap_or_default();
        self.note(id, account);
        let one = Share { accounts: vec![account.to_owned()], ..Share::default() };
        share(self.client(), id, &one, &std::collections::BTreeMap::new()).await.map(drop)
    }

    /// Ends what was lent of an image and its snapshots for copies, but for what the manifest shares. What can't be ended is
    /// a warning.
    pub(super) async fn take_back(&self, run: &Run, image: &Image, wanted: &Share) {
        let mut own = image::snapshots(image);
        own.extend(image.image_id().map(str::to_owned));
        let lent: BTreeSet<(String, String)> = {
            let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
            let (these, others) = std::mem::take(&mut *lent).into_iter().partition(|(id, _)| own.contains(id));
            *lent = others;
            these
        };
        for (id, account) in lent {
            let is_image = id.starts_with("ami-");
            if is_image && wanted.accounts.contains(&account) {
                continue;
            }
            let ended = if is_image {
                unshare(self.client(), &id, &account).await
            } else {
                unshare_snapshot(self.client(), &id, &account).await
            };
            if let Err(error) = ended {
                run.warn(format!("{id} is still shared with the account {account}: {error}"), None);
            }
        }
    }

    fn note(&self, id: &str, account: &str) {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.insert((id.to_owned(), account.to_owned()));
    }

    /// The client of the home region.
    pub(super) fn client(&self) -> &Client {
        &self.home.client
    }
}
