//! The state of an action: what the runner said, the step's log, and what was written to the runner's files.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ami_bake_core::mask::Masker;
use ami_bake_core::{Error, Result};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::event::Workflow;
use ami_bake_github::markdown::{Escape, fenced};
use ami_bake_github::runner::{Annotation, Environment, Files, Level, Log, lines};
use ami_bake_manifest::Manifest;

use super::early_signals::EarlySignals;
use crate::out;

/// A step of a workflow that uses ami-bake as an action.
pub(super) struct Action {
    /// Inputs, state and variables.
    pub(super) environment: Environment,
    /// What started the workflow.
    pub(super) workflow: Workflow,
    /// The step's log.
    pub(super) log: Arc<Log>,
    /// The secrets of this process.
    pub(super) masker: Arc<Masker>,
    /// Signals that came before the first run.
    pub(super) signals: Arc<EarlySignals>,
    files: Files,
    outputs: Mutex<BTreeMap<String, String>>,
    manifest: OnceLock<Arc<Manifest>>,
    summarised: AtomicBool,
}

impl Action {
    /// The action of this environment, with its log on standard output.
    pub(super) fn new(environment: Environment, signals: Arc<EarlySignals>, masker: Arc<Masker>) -> Self {
        let log = Arc::new(Log::new(out::commands(), Arc::clone(&masker)));
        let ear = Arc::clone(&log);
        masker.listen(move |secret| ear.mask(secret));
        Self {
            workflow: Workflow::of(&environment),
            files: Files::of(&environment),
            log,
            masker,
            outputs: Mutex::default(),
            manifest: OnceLock::new(),
            summarised: AtomicBool::new(false),
            environment,
            signals,
        }
    }

    /// Sets an output, unless it has this value already.
    pub(super) fn output(&self, name: &str, value: &str) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if outputs.get(name).is_some_and(|known| known == value) {
            return;
        }
        match self.files.output(name, value) {
            Ok(()) => _ = outputs.insert(name.to_owned(), value.to_owned()),
            Err(error) => self.warn(&error),
        }
    }

    /// Sets the output that is the path of the report. It is valid for later steps: they start in the workspace too.
    pub(super) fn report_output(&self, file: &Path) {
        self.give_to_runner(file);
        self.output("report", &file.display().to_string());
    }

    /// Saves a value for the post step.
    pub(super) fn save(&self, name: &str, value: &str) {
        if let Err(error) = self.files.state(name, value) {
            self.warn(&error);
        }
    }

    /// Writes the job summary of this step.
    pub(super) fn summary(&self, markdown: &str) {
        self.summarised.store(true, Ordering::Relaxed);
        if self.environment.flag("summary").ok().flatten() == Some(false) {
            return;
        }
        if let Err(error) = self.files.summary(&self.masker.mask(markdown)) {
            self.warn(&error);
        }
    }

    /// Writes an error as the job summary, unless there is one already.
    pub(super) fn error_summary(&self, rendered: &str) {
        if !self.summarised.load(Ordering::Relaxed) {
            self.summary(&format!("### \u{274c} ami-bake\n\n{}", in_fence(rendered)));
        }
    }

    /// Remembers the manifest, so that failures are shown at its lines.
    pub(super) fn remember(&self, manifest: &Arc<Manifest>) {
        let _ = self.manifest.set(Arc::clone(manifest));
    }

    /// The manifest, once it was read.
    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.get().map(AsRef::as_ref)
    }

    /// Changes the owner of a file to that of its folder: the container runs as root, and a file that root leaves in a
    /// workspace breaks the next checkout of a runner that is not root (actions/runner#434).
    pub(super) fn give_to_runner(&self, path: &Path) {
        let around = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(owner) = std::fs::metadata(around) else { return };
        if let Err(error) = lchown(path, Some(owner.uid()), Some(owner.gid())) {
            self.log.say(&format!("Failed to change the owner of {}: {error}\n", path.display()));
        }
    }

    /// A client for the API with the token of the inputs; none without a token.
    ///
    /// # Errors
    /// When the settings are invalid.
    pub(super) fn api(&self) -> Result<Option<Api>> {
        let token = self.environment.input("token");
        if token.is_none() && self.environment.get("GITHUB_TOKEN").is_none() {
            return Ok(None);
        }
        Settings::of(&self.environment, token, None).and_then(Api::new).map(Some)
    }

    /// Annotates an error that must not fail the bake as a warning.
    pub(super) fn warn(&self, error: &Error) {
        let help = error.help_text().map(|help| format!("\n{help}")).unwrap_or_default();
        self.log.annotate(&Annotation::new(Level::Warning, "ami-bake", format!("{}{help}", in_full(error))));
    }
}

/// An error with its causes on one line.
pub(super) fn in_full(error: &Error) -> String {
    std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

/// Text as a code block of Markdown that nothing in the text can end.
pub(super) fn in_fence(text: &str) -> String {
    let lines: Vec<String> = lines(text).collect();
    fenced("", &Escape::new(&Masker::default()).fence(&lines)).text()
}
