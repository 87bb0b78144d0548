//! The one implementation of [`Provisioner`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::event::Package;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ImageSettings, Step, Verb};
use ami_bake_core::provision::{ConnectedMachine, Login, Provisioner};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use crate::ansible::{Playbook, judge, play};
use crate::chef::{Chef, chef};
use crate::expect::expect;
use crate::files::{Download, Upload, download, upload};
use crate::packages::packages;
use crate::scan::{begin, scan};
use crate::seal::seal;
use crate::shell::{Interpreter, Script, apply};
use crate::wait::wait;

/// How long a machine may take to come back where nothing is said.
const REBOOT: Duration = Duration::from_mins(10);

/// Applies steps to machines.
#[derive(Debug, Default)]
pub struct StepRunner {
    /// When each machine's bake began, by the machine's own clock: a marker file would not outlive a reboot.
    begun: Mutex<HashMap<String, i64>>,
}

#[async_trait]
impl Provisioner for StepRunner {
    async fn begin(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<()> {
        let time = begin(run, on).await?;
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(on.machine.id().to_owned(), time);
        Ok(())
    }

    async fn apply(
        &self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        run.check()?;
        match &step.verb {
            Verb::Run { script, shell, user, working_directory } => {
                let interpreter =
                    Interpreter::of(shell.as_deref()).map_err(|error| error.at(step.route.key("shell")))?;
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
            Verb::Upload { from, contents, to, exclude, owner, mode } => {
                let owner = owner.as_deref();
                upload(run, on, step, &Upload { from, contents: *contents, to, exclude, owner, mode: *mode }).await
            }
            Verb::Download { from, to, exclude } => download(run, on, step, &Download { from, to, exclude }).await,
            Verb::Component { path, .. } => {
                Err(Error::internal(format!("the component room is not there to run {}", path.display())))
            }
            Verb::Ansible { playbook: path, requirements, folder, vars, args, groups, user } => {
                let (requirements, user) = (requirements.as_deref(), user.as_deref());
                let playbook = Playbook { path, requirements, folder, vars, args, groups, user };
                run.until_cancelled(play(run, on, step, playbook, output)).await?
            }
            Verb::Chef { tool, cookbooks, roles, data_bags, environments, environment, run_list, attributes } => {
                let folders = [roles.as_deref(), data_bags.as_deref(), environments.as_deref()];
                let environment = environment.as_deref();
                chef(run, on, step, Chef { tool, cookbooks, folders, environment, run_list, attributes }, output).await
            }
            Verb::Reboot => on.machine.reboot(run, step.timeout.unwrap_or(REBOOT)).await.map_err(|error| {
                let help = error.help_text().unwrap_or("Look at the machine's console.").to_owned();
                Error::new(error.kind(), format!("step `{}`: restart the machine", step.name))
                    .because(error)
                    .help(help)
                    .at(step.route.clone())
            }),
            Verb::Wait { until, interval } => wait(run, on, step, until, *interval).await,
            Verb::Expect(expectation) => expect(run, on, step, &expectation.probe).await,
        }
    }

    async fn judge(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        judge(run, steps).await
    }

    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
        packages(run, on).await
    }

    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        let since = self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(on.machine.id()).copied();
        scan(run, on, settings, since).await
    }

    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
        seal(run, on, settings, login).await
    }
}
