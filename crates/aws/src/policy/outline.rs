//! Images as a policy needs to know them: planned without a cloud.

use std::collections::BTreeSet;

use ami_bake_core::plan::{ImagePlan, SourceQuery};

/// An image as far as it is known without a cloud, planned for two versions: what differs by the version becomes a
/// pattern.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Source of the image.
    pub source: SourceQuery,
    /// Planned for one version.
    pub plan: ImagePlan,
    /// Planned for another one.
    pub other: ImagePlan,
}

/// The regions besides this one that images are copied to in the own account.
pub(crate) fn copied(plans: &[Outline], home: &str) -> BTreeSet<String> {
    let regions = plans.iter().flat_map(|one| &one.plan.settings.distribution.regions);
    regions.map(|region| region.region.clone()).filter(|region| region != home).collect()
}

/// The roles that the manifest assumes besides its own.
pub fn targets(plans: &[Outline]) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    for Outline { plan, .. } in plans {
        let of_targets = plan.settings.distribution.targets.iter().map(|target| &target.role);
        let of_deployments = plan.settings.deployments.iter().filter_map(|deployment| deployment.role.as_ref());
        roles.extend(of_targets.chain(of_deployments).cloned());
    }
    roles.sort();
    roles.dedup();
    roles
}
