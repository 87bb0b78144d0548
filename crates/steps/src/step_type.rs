//! The interface of a step type when it is applied.

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

/// A step type: its settings are the value itself.
#[async_trait]
pub(crate) trait StepType: Sync {
    /// Applies the step once. Retries and the consequences of failures are up to the engine.
    ///
    /// # Errors
    /// When the step fails; the error has the step's name.
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, output: &mut dyn OutputSink)
    -> Result<()>;

    /// Checks the requirements of this step type on this computer, before a machine starts. `steps` are all steps of
    /// the type, this one first. Does nothing by default.
    ///
    /// # Errors
    /// When something is missing; the help says how to install it.
    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        let _ = (run, steps);
        Ok(())
    }
}
