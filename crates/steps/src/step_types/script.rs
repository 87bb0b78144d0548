//! The step type `script`.

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ScriptStep, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::shell::Script;
use crate::step_type::StepType;

#[async_trait]
impl StepType for ScriptStep {
    async fn apply(
        &self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        let script = Script::file(&self.path, self.shell.as_deref(), step.inputs.file(&self.path)).await;
        let mut script = script.map_err(|error| error.at(step.route.key("script")))?;
        (script.user, script.folder) = (self.user.as_deref(), self.working_directory.as_deref());
        script.args = &self.args;
        script.apply(run, on, step, output).await
    }
}
