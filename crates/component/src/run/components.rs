//! The provisioner that knows component documents, in front of the one that knows all other verbs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::event::Package;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ComponentStep, ImageSettings, Phase, Step, StepAction};
use ami_bake_core::provision::{ConnectedMachine, Login, Provisioner};
use ami_bake_core::services::Services;
use ami_bake_core::{Error, Result, Run};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use async_trait::async_trait;

use super::{Deadline, Machine, Memory, Use, run};
use crate::document::{Document, parse};

/// Runs component documents; what is no document goes on to another provisioner.
pub struct Components {
    others: Arc<dyn Provisioner>,
    services: Option<Arc<dyn Services>>,
    /// What the steps of a document put out, for its phases that run later on the same machine.
    memories: Mutex<HashMap<Key, Memory>>,
}

/// A machine, a document, and the values of its parameters.
type Key = (String, PathBuf, Vec<(String, String)>);

impl Components {
    /// In front of `others`; `services` are the platform's.
    pub fn new(others: Arc<dyn Provisioner>, services: Option<Arc<dyn Services>>) -> Self {
        Self { others, services, memories: Mutex::default() }
    }
}

#[async_trait]
impl Provisioner for Components {
    async fn judge(&self, run: &Run, steps: &[&Step]) -> Result<()> {
        self.others.judge(run, steps).await?;
        match self.services.as_deref() {
            Some(services) => super::stored::judge(run, services, steps).await,
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
        let document = read(path).map_err(|error| error.at(step.route.key("component")))?;
        let machine = Machine { run: on_run, on, step, services: self.services.as_deref() };
        let key = (on.machine.id().to_owned(), path.clone(), parameters.clone());
        let take = || self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let mut memory = take().unwrap_or_default();
        let phases: Vec<&str> = phases.iter().copied().map(Phase::as_str).collect();
        let name = path.display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let wanted = Use { document: &document, name, parameters, phases: Some(&phases), above: &[] };
        let deadline = Deadline::new(on_run, step.timeout);
        let ended = Box::pin(run(&machine, &wanted, &mut memory, deadline, output)).await;
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).insert(key, memory);
        let summary = ended?;
        on_run.progress(format!("{name}: {summary}"));
        Ok(())
    }

    async fn packages(&self, run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
        self.others.packages(run, on).await
    }

    async fn scan(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
        self.others.scan(run, on, settings).await
    }

    async fn seal(&self, run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
        self.others.seal(run, on, settings, login).await
    }
}

/// A document from its file.
///
/// # Errors
/// When it can't be read, or is wrong.
pub(super) fn read(path: &Path) -> Result<Document> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::build(format!("read the component document {}", path.display())).because(error))?;
    read_text(&path.display().to_string(), &text)
}

/// A document from its text; `name` is its name in messages.
///
/// # Errors
/// The first thing that is wrong in it, with its place.
pub(crate) fn read_text(name: &str, text: &str) -> Result<Document> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let mut findings: Vec<Diagnostic> = Vec::new();
    let document = parse(file, &sources, &mut findings);
    if let Some(document) = &document {
        let steps = document.phases.iter().flat_map(|phase| &phase.steps);
        steps.for_each(|step| crate::document::judge_inputs(step, &mut findings));
    }
    match (document, findings.into_iter().find(Diagnostic::is_error)) {
        (Some(document), None) => Ok(document),
        (_, Some(finding)) => {
            let place = finding.span.map_or_else(String::new, |span| {
                let at = sources.position(span.file, span.start);
                format!(":{}:{}", at.line, at.column)
            });
            let error = Error::manifest(format!("{name}{place}: {}", finding.message));
            Err(match finding.help {
                Some(help) => error.help(help),
                None => error,
            })
        }
        (None, None) => Err(Error::manifest(format!("{name} is no component document"))),
    }
}
