//! The engine's `Machine`.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Communicator;
use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::{Capture, Keep, Machine, PendingImage};
use ami_bake_core::provision::Login;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use super::state::VmState;
use super::stop::discard;
use super::{boot, capture, keep, outside};

/// A machine of this platform.
pub(crate) struct VirtualMachine {
    pub(crate) state: Arc<VmState>,
}

#[async_trait]
impl Machine for VirtualMachine {
    fn id(&self) -> &str {
        &self.state.id
    }

    fn kind(&self) -> &str {
        &self.state.kind
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.state.port())
    }

    async fn connect(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        Ok(boot::connect(&self.state, run).await?)
    }

    async fn booted(&self, run: &Run) -> Result<Arc<dyn Communicator>> {
        outside::booted(&self.state, run).await
    }

    fn login(&self) -> Login {
        Login { authorized_keys: self.state.access.authorized(), ..Login::default() }
    }

    async fn reboot(&self, run: &Run, timeout: Duration) -> Result<()> {
        boot::reboot(&self.state, run, timeout).await
    }

    async fn recover(&self, run: &Run, timeout: Duration) -> Result<()> {
        boot::recover(&self.state, run, timeout).await
    }

    async fn capture(&self, run: &Run, order: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        Ok(Box::new(capture::capture(&self.state, run, order).await?))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        discard(&self.state).await?;
        run.ledger().close_id(MACHINE, &self.state.id, Closed::Deleted);
        Ok(())
    }

    async fn keep(&self, run: &Run, how: &Keep) -> Result<String> {
        keep::keep(&self.state, run, how).await
    }
}
