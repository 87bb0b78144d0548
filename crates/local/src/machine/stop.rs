//! Stops and discards a machine.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::Result;

use super::communicator::SandboxCommunicator;
use super::holder::Holder;
use super::state::SandboxState;
use crate::sandbox::Action;

/// Stops the sandbox: with a grace period its processes get SIGTERM first, and the rest is killed.
pub(super) async fn stop(state: &Arc<SandboxState>, grace: Duration) -> Result<()> {
    match quiesce(state, grace).await {
        Some(holder) => holder.end().await,
        None => Ok(()),
    }
}

/// Sends SIGTERM to the processes of the sandbox, when there is a grace period, and returns its holder, to be ended.
pub(super) async fn quiesce(state: &Arc<SandboxState>, grace: Duration) -> Option<Holder> {
    if !grace.is_zero() {
        let limit = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let communicator = SandboxCommunicator { sandbox: Arc::clone(state) };
        // A failure does not matter: what is left is killed next.
        let _ = tokio::time::timeout(grace * 2, communicator.act(Action::Stop { patience: limit })).await;
    }
    state.take_holder()
}

/// Kills the machine and removes its folder. May be called twice.
pub(crate) async fn discard(state: &Arc<SandboxState>) -> Result<()> {
    stop(state, Duration::ZERO).await?;
    state.store.discard_machine(&state.id)?.remove(&state.helper);
    Ok(())
}
