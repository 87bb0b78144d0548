//! A machine, a store of objects, and helpers to run documents and check the result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_component::Components;
use ami_bake_core::event::{Event, EventReceiver};
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{ComponentStep, OnFailure, Phase, Step, StepAction, Value};
use ami_bake_core::provision::Provisioner as _;
use ami_bake_core::services::{Object, ObjectPath, Services, StoredDocument};
use ami_bake_core::{Error, Result, Route, Run};
use ami_bake_steps::StepRunner;
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::runs;
use ami_bake_testkit::shell::{HostMachine, HostShell};
use async_trait::async_trait;
use secrecy::SecretString;

pub(crate) struct Fixture {
    pub(crate) run: Run,
    events: EventReceiver,
    pub(crate) machine: HostMachine,
    pub(crate) shell: Arc<HostShell>,
    pub(crate) store: Arc<Store>,
    components: Components,
    folder: tempfile::TempDir,
}

/// The result of a document.
pub(crate) struct Outcome {
    pub(crate) result: Result<()>,
    pub(crate) stdout: String,
    /// All progress messages and warnings.
    pub(crate) told: Vec<String>,
}

impl Outcome {
    /// Asserts success; returns standard output.
    #[track_caller]
    pub(crate) fn passes(self) -> String {
        if let Err(error) = &self.result {
            panic!("{} | {}", whole(error), self.told.join(" | "));
        }
        self.stdout
    }

    /// Asserts failure; returns the whole error message.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        whole(&self.result.expect_err("it passed"))
    }
}

/// The whole error message, with causes and help.
pub(crate) fn whole(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text = format!("{text} | {cause}");
    }
    format!("{text} | {}", error.help_text().unwrap_or("-"))
}

impl Fixture {
    /// A fixture on a copy of this system.
    pub(crate) async fn new() -> Self {
        Self::on(HostShell::sandbox().await)
    }

    /// A fixture on any machine.
    pub(crate) fn on(shell: HostShell) -> Self {
        // Pauses end at once, and no time limit of ten seconds or more is reached.
        let clock = ManualClock::skipping(Duration::from_secs(10), || ());
        let (run, events) = runs::with(Arc::new(clock), &[("TOKEN", "wal-nut-tree")]);
        let store = Arc::new(Store::default());
        let services = Arc::clone(&store) as Arc<dyn Services>;
        let components = Components::new(Arc::new(StepRunner::default()), Some(services));
        let folder = tempfile::tempdir().unwrap();
        Self { run, events, machine: HostMachine::default(), shell: Arc::new(shell), store, components, folder }
    }

    /// Runs the build phase of a document with these steps.
    pub(crate) async fn build(&mut self, steps: &str) -> Outcome {
        self.document(&build(steps), &[Phase::Build], &[]).await
    }

    /// Runs the build phase of a whole document.
    pub(crate) async fn build_of(&mut self, document: &str) -> Outcome {
        self.document(document, &[Phase::Build], &[]).await
    }

    /// Runs the preflight for the build phase of a whole document, as a bake does before it starts a machine.
    pub(crate) async fn preflight(&self, document: &str) -> Result<()> {
        let step = self.of(document, &[Phase::Build], &[]);
        self.components.preflight(&self.run, &[&step]).await
    }

    /// Runs phases of a document.
    pub(crate) async fn document(&mut self, text: &str, phases: &[Phase], with: &[(&str, &str)]) -> Outcome {
        self.step(&self.of(text, phases, with)).await
    }

    /// A step that runs a document.
    pub(crate) fn of(&self, text: &str, phases: &[Phase], with: &[(&str, &str)]) -> Step {
        let path = self.folder.path().join("web.yml");
        std::fs::write(&path, text).unwrap();
        step(&path, phases, with)
    }

    pub(crate) async fn step(&mut self, step: &Step) -> Outcome {
        let mut output = Collect::default();
        let on = self.machine.reached(&self.shell);
        let result = self.components.apply(&self.run, &on, step, &mut output).await;
        let mut told = Vec::new();
        while let Some(envelope) = self.events.try_recv() {
            match envelope.event {
                Event::Progress { message } | Event::Warning { message, .. } => told.push(message),
                _ => {}
            }
        }
        Outcome { result, stdout: output.stdout_text(), told }
    }

    pub(crate) async fn sh(&self, command: &str) -> String {
        self.shell.sh(command).await
    }
}

/// A document with these steps in its build phase.
pub(crate) fn build(steps: &str) -> String {
    let indented: Vec<String> = steps.trim_matches('\n').lines().map(|line| format!("      {line}\n")).collect();
    let indented = indented.concat();
    format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{indented}")
}

fn step(path: &Path, phases: &[Phase], with: &[(&str, &str)]) -> Step {
    Step {
        name: "it".to_owned(),
        route: Route::root().key("images").key("web").key("build").index(0),
        action: StepAction::Component(ComponentStep {
            path: path.to_owned(),
            parameters: with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            phases: phases.to_vec(),
        }),
        env: vec![("GREETING".to_owned(), Value::Plain("hello".to_owned()))],
        timeout: None,
        retries: 0,
        on_failure: OnFailure::Abort,
        cache_for: None,
        inputs: ami_bake_core::plan::Inputs::default(),
    }
}

/// An object store in memory.
#[derive(Debug, Default)]
pub(crate) struct Store(pub(crate) Mutex<BTreeMap<String, Vec<u8>>>);

impl Store {
    pub(crate) fn put(&self, at: &str, content: &[u8]) {
        self.0.lock().unwrap().insert(at.to_owned(), content.to_vec());
    }

    pub(crate) fn get(&self, at: &str) -> Option<String> {
        self.0.lock().unwrap().get(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl Services for Store {
    async fn object(&self, _: &Run, at: &ObjectPath) -> Result<Object> {
        let content = self.0.lock().unwrap().get(&at.to_string()).cloned();
        let content = content.ok_or_else(|| Error::build(format!("could not read {at}: there is no such object")))?;
        // A stream that announces more than it has, as a broken connection does.
        let size = content.len() as u64 + u64::from(at.key.ends_with("cut"));
        Ok(Object { size, content: Box::new(std::io::Cursor::new(content)) })
    }

    async fn objects(&self, _: &Run, prefix: &ObjectPath) -> Result<Vec<String>> {
        let bucket = format!("s3://{}/", prefix.bucket);
        let keys = self.0.lock().unwrap();
        let keys = keys.keys().filter_map(|key| key.strip_prefix(&bucket));
        Ok(keys.filter(|key| key.starts_with(&prefix.key)).map(str::to_owned).collect())
    }

    async fn store(&self, _: &Run, at: &ObjectPath, file: &Path) -> Result<()> {
        self.put(&at.to_string(), &std::fs::read(file).unwrap());
        Ok(())
    }

    async fn parameter(&self, _: &Run, name: &str) -> Result<SecretString> {
        match name {
            "/app/token" => Ok("from-the-store".into()),
            "/app/key" => Ok("two\nlines".into()),
            _ => Err(Error::build(format!("there is no parameter {name}"))),
        }
    }

    async fn component(&self, _: &Run, arn: &str) -> Result<StoredDocument> {
        let text =
            self.get(arn).ok_or_else(|| Error::build(format!("could not read {arn}: there is no such component")))?;
        // A version resolves to a build.
        let arn = if arn.matches('/').count() == 2 { format!("{arn}/7") } else { arn.to_owned() };
        Ok(StoredDocument { arn, text })
    }
}
