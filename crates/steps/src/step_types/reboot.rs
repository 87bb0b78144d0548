//! The step type `reboot`.

use std::time::Duration;

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::step_type::StepType;

/// Default time limit for the machine to come back.
const LIMIT: Duration = Duration::from_mins(10);

/// Restarts the machine.
pub(crate) struct Reboot;

#[async_trait]
impl StepType for Reboot {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        on.machine.reboot(run, step.timeout.unwrap_or(LIMIT)).await.map_err(|error| {
            let help = error.help_text().unwrap_or("Check the machine's console.").to_owned();
            Error::new(error.kind(), format!("step `{}`: could not reboot the machine", step.name))
                .because(error)
                .help(help)
                .at(step.route.clone())
        })
    }
}
