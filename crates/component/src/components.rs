//! The provisioner for component documents, which wraps the one for all other step types.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::event::Package;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ComponentStep, ImageSettings, Phase, Step, StepAction};
use ami_bake_core::provision::{ConnectedMachine, Login, Provisioner};
use ami_bake_core::services::Services;
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use crate::document::{Invocation, read};
use crate::machine::{Deadline, Machine};
use crate::run::run;
use crate::scope::Memory;

/// Runs component documents; passes other steps to another provisioner.
pub struct Components {
    others: Arc<dyn Provisioner>,
    services: Option<Arc<dyn Services>>,
    /// Outputs of a document's steps, for its phases that run later on the same machine.
    memories: Mutex<HashMap<Key, Memory>>,
}

/// Machine, document, and values of its parameters.
type Key = (String, PathBuf, Vec<(String, String)>);

impl Components {
    /// Wraps `others`; `services` are the platform's.
    pub fn new(others: Arc<dyn Provisioner>, services: Option<Arc<dyn Services>>) -> Self {
        Self { others, services, memories: Mutex::default() }
    }
}

#[async_trait]
impl Provisioner for Components {
    async fn preflight(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        self.others.preflight(run, steps).await?;
        match self.services.as_deref() {
            Some(services) => crate::preflight::preflight(run, services, steps).await,
            None => Ok(()),
        }
    }

    async fn begin(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<()> {
        self.others.begin(run, on).await
    }

    async fn apply(
        &self,
        on_run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        let StepAction::Component(ComponentStep { path, parameters, phases }) = &step.action else {
            return self.others.apply(on_run, on, step, output).await;
        };
        let document = read(path, &step.inputs).map_err(|error| error.at(step.route.key("component")))?;
        let machine = Machine { run: on_run, on, step, services: self.services.as_deref() };
        let key = (on.machine.id().to_owned(), path.clone(), parameters.clone());
        let take = || self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let mut memory = take().unwrap_or_default();
        let phases: Vec<&str> = phases.iter().copied().map(Phase::as_str).collect();
        let name = path.display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let invocation = Invocation { document: &document, name, parameters, phases: Some(&phases), callers: &[] };
        let deadline = Deadline::new(on_run, step.timeout);
        let ended = Box::pin(run(&machine, &invocation, &mut memory, deadline, output)).await;
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).insert(key, memory);
        let summary = ended?;
        on_run.progress(format!("{name}: {summary}"));
        Ok(())
    }

    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
        self.others.packages(run, on).await
    }

    async fn clean(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        self.others.clean(run, on, settings).await
    }

    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        self.others.scan(run, on, settings).await
    }

    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
        self.others.seal(run, on, settings, login).await
    }
}
