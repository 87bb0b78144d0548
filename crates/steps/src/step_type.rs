//! What a step type does when it is applied.

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

/// A step type: its settings are the value itself.
#[async_trait]
pub(crate) trait StepType: Sync {
    /// Applies it once. Retries, and what a failure means, are the engine's.
    ///
    /// # Errors
    /// What failed and where, with the step's name.
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, output: &mut dyn OutputSink)
    -> Result<()>;

    /// Looks for what steps of this type need on this computer, before a machine starts. `steps` are all of them, this one
    /// first. By default nothing is needed.
    ///
    /// # Errors
    /// What is missing, with how to install it.
    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        let _ = (run, steps);
        Ok(())
    }
}
