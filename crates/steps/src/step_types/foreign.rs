//! Step types that are applied by another crate's provisioner, which wraps this one.

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::step_type::StepType;

/// A step type that another crate's provisioner applies.
pub(crate) struct Foreign;

#[async_trait]
impl StepType for Foreign {
    async fn apply(&self, _: &Run, _: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        Err(Error::internal(format!("no provisioner for steps of the type `{}`", step.action.name())))
    }
}
