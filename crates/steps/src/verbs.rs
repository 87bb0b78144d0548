//! The one implementation of [`Provisioner`].

use ami_bake_core::event::Package;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ImageSettings, Step, Verb};
use ami_bake_core::provision::{Login, Provisioner, Reached};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::shell::{Interpreter, Script, apply};

/// Applies steps to machines.
#[derive(Debug, Default)]
pub struct Verbs {}

#[async_trait]
impl Provisioner for Verbs {
    async fn begin(&self, _run: &Run, _on: &Reached<'_>) -> Result<()> {
        Err(Error::internal("begin is not there yet"))
    }

    async fn apply(&self, run: &Run, on: &Reached<'_>, step: &Step, output: &mut dyn OutputSink) -> Result<()> {
        run.check()?;
        match &step.verb {
            Verb::Run { script, shell, user, working_directory } => {
                let interpreter = Interpreter::of(shell.as_deref()).map_err(|error| error.at(step.route.key("shell")))?;
                let mut script = Script::text(script, interpreter);
                (script.user, script.folder) = (user.as_deref(), working_directory.as_deref());
                apply(run, on, step, script, output).await
            }
            Verb::Script { path, args, shell, user, working_directory } => {
                let mut script =
                    Script::file(path, shell.as_deref()).map_err(|error| error.at(step.route.key("script")))?;
                (script.user, script.folder) = (user.as_deref(), working_directory.as_deref());
                script.args = args;
                apply(run, on, step, script, output).await
            }
            other => Err(Error::internal(format!("the verb `{}` is not there yet", other.name()))),
        }
    }

    async fn packages(&self, _run: &Run, _on: &Reached<'_>) -> Result<Vec<Package>> {
        Err(Error::internal("packages is not there yet"))
    }

    async fn scan(&self, _run: &Run, _on: &Reached<'_>, _settings: &ImageSettings) -> Result<()> {
        Err(Error::internal("scan is not there yet"))
    }

    async fn seal(&self, _run: &Run, _on: &Reached<'_>, _settings: &ImageSettings, _login: &Login) -> Result<()> {
        Err(Error::internal("seal is not there yet"))
    }
}
