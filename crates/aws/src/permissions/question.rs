//! Questions to AWS, and what they are about.

use ami_bake_core::Result;
use ami_bake_core::plan::{Deployment, MachineSettings};
use ami_bake_core::platform::Permission;
use futures::future::BoxFuture;

/// A name for what is never created.
pub(super) const NAME: &str = "ami-bake-dry-run";
// Ids of the right form that belong to nothing.
pub(super) const INSTANCE: &str = "i-00000000000000000";
pub(super) const IMAGE: &str = "ami-00000000000000000";
pub(super) const SNAPSHOT: &str = "snap-00000000000000000";
/// Nobody's account.
pub(super) const ACCOUNT: &str = "000000000000";

/// A question that was not asked yet.
pub(super) type Question<'a> = Option<BoxFuture<'a, Result<Permission>>>;

/// A question by dry run.
macro_rules! dry {
    ($client:expr, $action:literal, $request:expr) => {
        Some(Box::pin($crate::permissions::probe::probe($client, $action, $request.dry_run(true).send()))
            as futures::future::BoxFuture<'_, ami_bake_core::Result<ami_bake_core::platform::Permission>>)
    };
}
/// A question of a service without dry runs, for something that changes nothing.
macro_rules! read {
    ($client:expr, $action:literal, $request:expr) => {
        Some(Box::pin($crate::permissions::probe::probe($client, $action, $request.send()))
            as futures::future::BoxFuture<'_, ami_bake_core::Result<ami_bake_core::platform::Permission>>)
    };
}
pub(super) use {dry, read};

/// The plans and regions that the checks are for.
#[derive(Default)]
pub(super) struct Subject<'a> {
    /// The machines of all images.
    pub(super) machines: Vec<&'a MachineSettings>,
    /// The deployments in this place.
    pub(super) deployments: Vec<&'a Deployment>,
    /// A parameter that is pointed at images.
    pub(super) parameter: Option<&'a str>,
    /// The home region's name.
    pub(super) from: &'a str,
}

impl<'a> Subject<'a> {
    /// The same subject with one deployment only.
    pub(super) fn of(&self, deployment: &'a Deployment) -> Self {
        let machines = self.machines.clone();
        Self { machines, deployments: vec![deployment], parameter: self.parameter, from: self.from }
    }
}
