//! State that the steps of one deployment share.

use std::sync::Arc;

use ami_bake_core::Run;
use ami_bake_core::plan::{Deployment, ImagePlan};

use super::current::CurrentState;
use super::fleet::Fleet;
use super::group::Group;
use crate::client::Client;

/// One deployment in progress.
pub(super) struct Job<'a> {
    pub(super) fleet: Arc<Fleet>,
    pub(super) run: Run,
    pub(super) plan: &'a ImagePlan,
    pub(super) deployment: &'a Deployment,
    /// True to overwrite changes that somebody else made meanwhile.
    pub(super) force: bool,
    pub(super) current: CurrentState,
    /// Number of the template version that is deployed.
    pub(super) version: i64,
    /// True when the version was created for this deployment.
    pub(super) made: bool,
}

impl Job<'_> {
    /// The client of the deployment's region and account.
    pub(super) fn client(&self) -> &Client {
        &self.fleet.client
    }

    /// True when the group requests the version, and all its machines use it.
    pub(super) fn is_there(&self, group: &Group) -> bool {
        group.follows().number(&self.current.template) == self.version
            && group.on(self.version).count() == group.raw.instances().len()
    }
}
