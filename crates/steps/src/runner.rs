//! The [`Provisioner`] for all step types of this crate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ami_bake_core::event::Package;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ImageSettings, Step};
use ami_bake_core::provision::{ConnectedMachine, Login, Provisioner};
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::packages::packages;
use crate::scan::{begin, scan};
use crate::seal::{clean, seal};
use crate::step_types::step_type;

/// Applies steps to machines.
#[derive(Debug, Default)]
pub struct StepRunner {
    /// The time at which each machine's bake began, by the machine's own clock: a marker file would not survive a
    /// reboot.
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
        step_type(&step.action).apply(run, on, step, output).await
    }

    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        let mut rest = steps.to_vec();
        while let Some(first) = rest.first() {
            let name = first.action.name();
            let (same, others) = rest.into_iter().partition::<Vec<_>, _>(|step| step.action.name() == name);
            step_type(&same[0].action).preflight(run, &same).await?;
            rest = others;
        }
        Ok(())
    }

    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
        packages(run, on).await
    }

    async fn clean(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        clean(run, on, settings).await
    }

    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        let since = self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(on.machine.id()).copied();
        scan(run, on, settings, since).await
    }

    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
        seal(run, on, settings, login).await
    }
}
