//! The state of an action: the runner's environment, the step's log, and the runner's files.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use ami_bake_core::mask::Masker;
use ami_bake_core::plan::Recipe as _;
use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::comment;
use ami_bake_github::event::Workflow;
use ami_bake_github::markdown::{Escape, fenced};
use ami_bake_github::runner::{Annotation, Environment, Files, Level, Log, lines};
use ami_bake_manifest::Manifest;

use super::early_signals::EarlySignals;
use super::feedback;
use crate::out;

/// A step of a workflow that uses ami-bake as an action.
pub(super) struct Action {
    /// Inputs, state and variables of the step.
    pub(super) environment: Environment,
    /// Facts about the workflow run.
    pub(super) workflow: Workflow,
    /// The step's log.
    pub(super) log: Arc<Log>,
    /// The secrets of this process.
    pub(super) masker: Arc<Masker>,
    /// Signals that arrived before the first run.
    pub(super) signals: Arc<EarlySignals>,
    files: Files,
    outputs: Mutex<BTreeMap<String, String>>,
    manifest: OnceLock<Arc<Manifest>>,
    summarised: AtomicBool,
    /// Name of the command.
    command: OnceLock<String>,
    findings: Mutex<String>,
    commenting: Mutex<Option<JoinHandle<()>>>,
    has_comment: AtomicBool,
    begun: AtomicBool,
    /// Exit code of a failure after the run; 0 without one.
    late: AtomicU8,
    /// True in a plain step: no post step follows, and files belong to the runner already.
    pub(super) plain: bool,
}

impl Action {
    /// The action of this environment, with its log on standard output.
    pub(super) fn new(environment: Environment, signals: Arc<EarlySignals>, masker: Arc<Masker>) -> Self {
        Self::with_log(environment, signals, masker, out::commands(), false)
    }

    /// An action for a plain step, `run: ami-bake bake`: data goes to standard output, so the log goes to standard
    /// error.
    pub(super) fn of_step(environment: Environment, masker: Arc<Masker>) -> Self {
        Self::with_log(environment, Arc::default(), masker, out::commands_on_stderr(), true)
    }

    fn with_log(
        environment: Environment,
        signals: Arc<EarlySignals>,
        masker: Arc<Masker>,
        out: Box<dyn std::io::Write + Send>,
        plain: bool,
    ) -> Self {
        let log = Arc::new(Log::new(out, Arc::clone(&masker)));
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
            command: OnceLock::new(),
            findings: Mutex::default(),
            commenting: Mutex::default(),
            has_comment: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            late: AtomicU8::new(0),
            plain,
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

    /// Sets the output with the path of the report. It is valid in later steps, which start in the workspace, too.
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

    /// True once the job summary was written.
    pub(super) fn is_summarised(&self) -> bool {
        self.summarised.load(Ordering::Relaxed)
    }

    /// Records the command, once it is known.
    pub(super) fn set_command(&self, command: &str) {
        let _ = self.command.set(command.to_owned());
    }

    /// Name of the command.
    pub(super) fn command(&self) -> &str {
        self.command.get().map_or("", String::as_str)
    }

    /// Records the findings of a manifest as text, for the page that explains why nothing was baked.
    pub(super) fn remember_findings(&self, text: &str) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// The findings so far.
    pub(super) fn findings(&self) -> String {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records the thread that writes a comment.
    pub(super) fn commenting(&self, thread: JoinHandle<()>) {
        *self.commenting.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// True once, for the comment that announces a bake.
    pub(super) fn may_begin_comment(&self) -> bool {
        !self.begun.swap(true, Ordering::SeqCst)
    }

    /// Waits for the comment that is being written, so that the next one comes after it.
    pub(super) fn wait_for_comment(&self) {
        if let Some(thread) = self.commenting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }

    /// True once, for the first comment of this step.
    pub(super) fn is_first_comment(&self) -> bool {
        !self.has_comment.swap(true, Ordering::SeqCst)
    }

    /// The key of the comment, which must be the same whether the manifest is valid or not.
    pub(super) fn comment_key(&self) -> String {
        if let Some(key) = self.environment.input("comment-key").or_else(|| self.environment.state("comment-key")) {
            return key.to_owned();
        }
        let namespace = self.manifest().map(|manifest| manifest.namespace().to_owned()).or_else(|| {
            let named = self.environment.input("manifest").map(Path::new);
            let places = ["bake.yml", ".github/bake.yml"].map(Path::new);
            let text = named.into_iter().chain(places).find_map(|path| std::fs::read_to_string(path).ok());
            feedback::namespace(&text?)
        });
        comment::default_key(&self.environment, namespace.as_deref().unwrap_or_default())
    }

    /// Records the manifest, so that failures are shown at its lines.
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
        if self.plain {
            return;
        }
        let around = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(owner) = std::fs::metadata(around) else { return };
        if let Err(error) = lchown(path, Some(owner.uid()), Some(owner.gid())) {
            self.log.say(&format!("Failed to change the owner of {}: {error}\n", path.display()));
        }
    }

    /// A client for the API with the token from the inputs; `None` without a token.
    ///
    /// # Errors
    /// When the settings are invalid.
    pub(super) fn api(&self) -> Result<Option<Api>> {
        let token = self.environment.input("token");
        if token.is_none() && ["GITHUB_TOKEN", "GH_TOKEN"].iter().all(|name| self.environment.get(name).is_none()) {
            return Ok(None);
        }
        Settings::of(&self.environment, token, None).and_then(Api::new).map(Some)
    }

    /// Annotates an error after the images were published, for which the step fails.
    pub(super) fn fail_late(&self, error: &Error) {
        let help = error.help_text().map(|help| format!("\n{help}")).unwrap_or_default();
        self.late.store(ErrorKind::Publish.exit_code(), Ordering::SeqCst);
        self.log.annotate(&Annotation::new(Level::Error, "publish.write", format!("{}{help}", in_full(error))));
    }

    /// The exit code of such an error.
    pub(super) fn late_failure(&self) -> Option<u8> {
        Some(self.late.load(Ordering::SeqCst)).filter(|code| *code != 0)
    }

    /// Annotates an error that must not fail the bake, as a warning.
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
