//! State that all publications of the platform share.

use std::sync::Arc;

use super::copies::Copies;
use crate::client::{Client, PerPlace};
use crate::image::Images;

/// Publishes images from the home region to other regions and accounts.
pub(crate) struct Publisher {
    /// The images of each region and account.
    pub(super) places: Arc<PerPlace<Images>>,
    /// The images of the home region.
    pub(super) home: Arc<Images>,
    /// Started copies of snapshots.
    pub(super) copies: Copies,
}

impl Publisher {
    /// A publisher without started copies.
    pub(crate) fn new(places: Arc<PerPlace<Images>>) -> Self {
        Self { home: places.home(), places, copies: Copies::default() }
    }

    /// The client of the home region.
    pub(super) fn client(&self) -> &Client {
        &self.home.client
    }
}
