//! State that all deployments of the platform share.

use std::sync::Arc;

use crate::client::PerPlace;
use crate::image::Images;

use super::fleet::Fleet;

/// Deploys images in any region and account.
pub(crate) struct Deployer {
    /// The images of each region and account.
    pub(super) places: Arc<PerPlace<Images>>,
    /// The Auto Scaling groups of each region and account.
    pub(super) fleets: PerPlace<Fleet>,
}

impl Deployer {
    /// Nothing is deployed yet.
    pub(crate) fn new(places: Arc<PerPlace<Images>>) -> Self {
        let fleets = PerPlace::new(Arc::clone(places.clients()), Fleet::new);
        Self { places, fleets }
    }
}
