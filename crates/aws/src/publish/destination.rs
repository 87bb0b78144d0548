//! Destinations of an image: regions of the own account and of others.

use std::sync::Arc;

use ami_bake_core::Run;
use ami_bake_core::plan::{Distribution, RegionPlan};

use crate::client::{Client, PerPlace};
use crate::image::Images;

/// A region of an account that an image is published to.
pub(super) struct Destination {
    /// The images there.
    pub(super) images: Arc<Images>,
    /// The region and its encryption key.
    pub(super) region: RegionPlan,
    /// ARN of the role to assume, for another account.
    pub(super) role: Option<String>,
    /// True for the region in which the image was baked.
    pub(super) home: bool,
}

impl Destination {
    /// ID of the account, if it is another one.
    pub(super) fn account(&self) -> Option<&str> {
        self.images.client.account()
    }

    /// The client of the destination.
    pub(super) fn client(&self) -> &Client {
        &self.images.client
    }

    /// Region and account for messages.
    pub(super) fn place(&self) -> &str {
        self.images.client.place()
    }

    /// The run with the destination's role, so that ledger entries record it.
    pub(super) fn run(&self, run: &Run) -> Run {
        self.role.as_deref().map_or_else(|| run.clone(), |role| run.under(role))
    }
}

/// All destinations: the home region first, then the others in the manifest's order, then other accounts.
pub(super) fn destinations(places: &PerPlace<Images>, all: &[&Distribution]) -> Vec<Destination> {
    let region = RegionPlan { region: places.clients().home().region().to_owned(), kms_key: None };
    let mut found = vec![Destination { images: places.home(), region, role: None, home: true }];
    for asked in all {
        add(places, &mut found, None, &asked.regions);
    }
    for target in all.iter().flat_map(|asked| &asked.targets) {
        add(places, &mut found, Some(&target.role), &target.regions);
    }
    found
}

fn add(places: &PerPlace<Images>, found: &mut Vec<Destination>, role: Option<&str>, regions: &[RegionPlan]) {
    for region in regions {
        if found.iter().all(|seen| (seen.role.as_deref(), &seen.region.region) != (role, &region.region)) {
            let images = places.at(&region.region, role);
            found.push(Destination { images, region: region.clone(), role: role.map(str::to_owned), home: false });
        }
    }
}
