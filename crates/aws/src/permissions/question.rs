//! Checks that have not run yet, and their subject.

use ami_bake_core::Result;
use ami_bake_core::plan::{Deployment, MachineSettings};
use ami_bake_core::platform::Permission;
use futures::future::BoxFuture;

/// Name of resources that are never created.
pub(super) const NAME: &str = "ami-bake-dry-run";
// Well-formed IDs that belong to nothing.
pub(super) const INSTANCE: &str = "i-00000000000000000";
pub(super) const IMAGE: &str = "ami-00000000000000000";
pub(super) const SNAPSHOT: &str = "snap-00000000000000000";
/// An account ID that belongs to nobody.
pub(super) const ACCOUNT: &str = "000000000000";

/// A check that has not run yet; `None` if the action has none.
pub(super) type Question<'a> = Option<BoxFuture<'a, Result<Permission>>>;

/// A check by dry run.
macro_rules! dry {
    ($client:expr, $action:literal, $request:expr) => {
        Some(Box::pin($crate::permissions::probe::probe($client, $action, $request.dry_run(true).send()))
            as futures::future::BoxFuture<'_, ami_bake_core::Result<ami_bake_core::platform::Permission>>)
    };
}
/// A check for services without dry runs, by a request that changes nothing.
macro_rules! read {
    ($client:expr, $action:literal, $request:expr) => {
        Some(Box::pin($crate::permissions::probe::probe($client, $action, $request.send()))
            as futures::future::BoxFuture<'_, ami_bake_core::Result<ami_bake_core::platform::Permission>>)
    };
}
pub(super) use {dry, read};

/// The plans and region that the checks are for.
#[derive(Default)]
pub(super) struct Subject<'a> {
    /// The machines of all images.
    pub(super) machines: Vec<&'a MachineSettings>,
    /// The deployments in this region and account.
    pub(super) deployments: Vec<&'a Deployment>,
    /// Name of a parameter that gets the images' IDs.
    pub(super) parameter: Option<&'a str>,
    /// Name of the home region.
    pub(super) from: &'a str,
}

impl<'a> Subject<'a> {
    /// The same subject with one deployment only.
    pub(super) fn of(&self, deployment: &'a Deployment) -> Self {
        let machines = self.machines.clone();
        Self { machines, deployments: vec![deployment], parameter: self.parameter, from: self.from }
    }
}
