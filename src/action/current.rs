//! The action that this process is, if it is one.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ami_bake_core::{Error, Run};
use ami_bake_github::event::Workflow;
use ami_bake_github::runner::{Annotation, Environment, Files, Level, Log, lines};
use ami_bake_manifest::Manifest;

/// Set once, before anything is written.
static ACTION: OnceLock<Action> = OnceLock::new();

/// A step of a workflow.
pub(crate) struct Action {
    /// What the runner said.
    pub(crate) environment: Environment,
    /// What started the workflow.
    pub(crate) workflow: Workflow,
    /// The step's log.
    pub(crate) log: Log,
    files: Files,
    outputs: Mutex<BTreeMap<String, String>>,
    manifest: OnceLock<Arc<Manifest>>,
    summarised: AtomicBool,
}

/// The action; none on a command line.
pub(crate) fn current() -> Option<&'static Action> {
    ACTION.get()
}

impl Action {
    /// Makes this process an action.
    pub(super) fn start(environment: Environment) -> &'static Self {
        ACTION.get_or_init(|| Self {
            workflow: Workflow::of(&environment),
            files: Files::of(&environment),
            log: Log::new(Box::new(std::io::stdout())),
            outputs: Mutex::default(),
            manifest: OnceLock::new(),
            summarised: AtomicBool::new(false),
            environment,
        })
    }

    /// Sets an output, where it is not set to this value yet.
    pub(crate) fn output(&self, name: &str, value: &str) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if outputs.get(name).is_some_and(|known| known == value) {
            return;
        }
        match self.files.output(name, value) {
            Ok(()) => _ = outputs.insert(name.to_owned(), value.to_owned()),
            Err(error) => self.failed_quietly(&error),
        }
    }

    /// Saves a value for the post step.
    pub(crate) fn save(&self, name: &str, value: &str) {
        if let Err(error) = self.files.state(name, value) {
            self.failed_quietly(&error);
        }
    }

    /// Writes the step's summary.
    pub(crate) fn summary(&self, markdown: &str) {
        self.summarised.store(true, Ordering::Relaxed);
        if self.environment.flag("summary").ok().flatten() == Some(false) {
            return;
        }
        if let Err(error) = self.files.summary(markdown) {
            self.failed_quietly(&error);
        }
    }

    /// Writes an error as the step's summary, where there is none yet.
    pub(super) fn error_summary(&self, rendered: &str) {
        if !self.summarised.load(Ordering::Relaxed) {
            let text: String = lines(rendered).map(|line| line.replace("~~~", "~ ~ ~") + "\n").collect();
            self.summary(&format!("### \u{274c} ami-bake\n\n~~~text\n{text}~~~\n"));
        }
    }

    /// Keeps the manifest, so that failures are shown at its lines.
    pub(crate) fn remember(&self, manifest: &Arc<Manifest>) {
        let _ = self.manifest.set(Arc::clone(manifest));
    }

    /// The manifest, once it was read.
    pub(super) fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.get()
    }

    /// Saves how the platform of a run that creates something is reached again.
    pub(crate) fn begin(&self, run: &Run, platform: &str, place: &crate::wire::Place) {
        if run.ledger().path().is_some() {
            let place = serde_json::to_string(place).unwrap_or_default();
            self.save("platform", platform);
            self.save("place", &place);
        }
    }

    /// Gives a file or folder to whom the folder around it belongs: the container is root, and what root leaves in a
    /// workspace breaks the next checkout of a runner that is not (actions/runner#434).
    pub(crate) fn give(&self, path: &Path) {
        let around = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(owner) = std::fs::metadata(around) else { return };
        if let Err(error) = chown(path, Some(owner.uid()), Some(owner.gid())) {
            self.log.say(&format!("{} stays root's: {error}\n", path.display()));
        }
    }

    /// Warns of what must not fail a bake.
    pub(super) fn failed_quietly(&self, error: &Error) {
        let help = error.help_text().map(|help| format!("\n{help}")).unwrap_or_default();
        let message = format!("could not {}{help}", in_full(error));
        self.log.annotate(&Annotation::new(Level::Warning, "not done", message));
    }
}

/// An error with its causes on one line.
pub(super) fn in_full(error: &Error) -> String {
    std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}
