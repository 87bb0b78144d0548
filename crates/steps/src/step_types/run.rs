//! The step type `run`.

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{RunStep, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::shell::{Interpreter, Script};
use crate::step_type::StepType;

#[async_trait]
impl StepType for RunStep {
    async fn apply(
        &self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        let interpreter = Interpreter::of(self.shell.as_deref()).map_err(|error| error.at(step.route.key("shell")))?;
        let mut script = Script::text(&self.script, interpreter);
        (script.user, script.folder) = (self.user.as_deref(), self.working_directory.as_deref());
        script.apply(run, on, step, output).await
    }
}
