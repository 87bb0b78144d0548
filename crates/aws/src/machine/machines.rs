//! State that all machines of the platform share.

use std::sync::Arc;

use ami_bake_core::poll::Poller;

use super::instance::{self, Instance};
use super::run_state::RunStates;
use crate::client::Client;
use crate::image::Images;
use crate::lineage::Lineages;

/// The machines of one region and account.
pub(crate) struct Machines {
    /// Images that the machines boot from.
    pub(crate) images: Arc<Images>,
    /// The account's own copies of sources.
    pub(super) lineages: Arc<Lineages>,
    /// Poller for the state of all machines, in one DescribeInstances.
    pub(crate) instances: Poller<Instance>,
    /// Resources that the machines of each run share.
    pub(super) runs: RunStates,
}

impl Machines {
    /// Creates the value; makes no request.
    pub(crate) fn new(images: Arc<Images>, lineages: Arc<Lineages>) -> Self {
        let instances = instance::poller(&images.client);
        Self { images, lineages, instances, runs: RunStates::default() }
    }

    /// The client of the region.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.images.client
    }
}
