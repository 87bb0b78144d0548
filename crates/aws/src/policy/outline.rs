//! Images as policies need them: planned without a cloud.

use std::collections::BTreeSet;

use ami_bake_core::plan::{ImagePlan, SourceQuery};

/// An image planned without a cloud for two versions; text that differs between the versions becomes a pattern.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Source of the image.
    pub source: SourceQuery,
    /// The plan for one version.
    pub plan: ImagePlan,
    /// The plan for another version.
    pub other: ImagePlan,
}

/// Regions other than `home` to which images are copied within the own account.
pub(crate) fn copied(plans: &[Outline], home: &str) -> BTreeSet<String> {
    let regions = plans.iter().flat_map(|one| &one.plan.settings.distribution.regions);
    regions.map(|region| region.region.clone()).filter(|region| region != home).collect()
}

/// The roles that the manifest assumes in other accounts.
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
