//! The action as the host of a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_core::engine::VersionContext;
use ami_bake_core::event::Failure;
use ami_bake_core::mask::Masker;
use ami_bake_core::plan::Recipe as _;
use ami_bake_core::report::Report;
use ami_bake_core::{Result, Run};
use ami_bake_github::runner::{Annotation, Level};
use ami_bake_manifest::Manifest;
use ami_bake_manifest::diagnostic::{self, Diagnostic, Sources};
use async_trait::async_trait;
use indicatif::MultiProgress;
use serde_json::Value;

use super::action::Action;
use super::feedback::{self, Page, last_words};
use super::reporter::ActionLog;
use super::step::line_rule;
use super::{annotate, outputs, results, workflow, write_back};
use crate::args::PlatformArgs;
use crate::error;
use crate::facts::{Baking, Facts, ImageNames};
use crate::host::{Host, HostIdentity, TerminalHost};
use crate::out::{Cleaner, json_text};
use crate::report::{self, Reporter, Show};
use crate::ui::Ui;

/// Forwards the results of a command to the action.
pub(super) struct ActionHost {
    action: Arc<Action>,
    ui: Ui,
    /// Receives data in a plain step; an action only has its log.
    terminal: Option<TerminalHost>,
}

/// Commands that take long, so that a comment announces them.
const LONG: [&str; 5] = ["bake", "test", "publish", "promote", "deploy"];

impl ActionHost {
    /// The host of this action.
    pub(super) fn new(action: Arc<Action>) -> Self {
        Self { action, ui: Ui::detect(), terminal: None }
    }

    /// The host of a plain step.
    pub(super) fn of_step(action: Arc<Action>, terminal: TerminalHost) -> Self {
        Self { action, ui: Ui::detect(), terminal: Some(terminal) }
    }
}

#[async_trait]
impl Host for ActionHost {
    fn ui(&self) -> Ui {
        self.ui
    }

    fn masker(&self) -> &Arc<Masker> {
        &self.action.masker
    }

    fn data(&self, text: &str) {
        match &self.terminal {
            Some(terminal) => terminal.data(text),
            None => self.action.log.say(text),
        }
    }

    fn json(&self, value: &Value, one_line: bool) {
        if let Some(terminal) = &self.terminal {
            return terminal.json(value, one_line);
        }
        self.action.log.data(&json_text(value, &self.action.masker, one_line));
    }

    fn say(&self, text: &str) {
        self.action.log.say(text);
    }

    fn reporter(&self, show: Show) -> Box<dyn Reporter> {
        let action = Arc::clone(&self.action);
        match show {
            Show::All(explain) => Box::new(ActionLog::new(action, Some(explain))),
            Show::Warnings => Box::new(ActionLog::new(action, None)),
            Show::Events => {
                let cleaner = Cleaner { masker: Arc::clone(&self.action.masker), rule: line_rule() };
                report::reporter(
                    show,
                    self.ui,
                    self.ui.out(cleaner.clone()),
                    self.ui.err(cleaner),
                    MultiProgress::default(),
                )
            }
        }
    }

    fn facts(&self, _: &Path) -> Facts {
        workflow::facts(&self.action.workflow)
    }

    fn admit(&self, manifest: &Path) -> Result<()> {
        workflow::admit(&self.action.workflow, manifest).map(drop)
    }

    fn baking(&self, manifest: &Path, names: &ImageNames) -> Result<Baking> {
        workflow::baking(&self.action.workflow, manifest, names, || self.action.api())
    }

    fn notice(&self, text: &str) {
        self.action.log.annotate(&Annotation::new(Level::Notice, "ami-bake", text));
    }

    fn strangers(&self) -> Option<String> {
        self.action.workflow.strangers().map(str::to_owned)
    }

    fn identity(&self, run: &Run) -> Result<HostIdentity> {
        workflow::identity(&self.action.environment, &self.action.workflow, run)
    }

    /// The runner's own folder, in which the post step finds the ledger.
    fn ledger_folder(&self) -> Option<PathBuf> {
        if self.terminal.is_some() {
            return None;
        }
        Some(self.action.environment.shared_folder().join("ami-bake"))
    }

    fn manifest_loaded(&self, manifest: &Arc<Manifest>) {
        self.action.remember(manifest);
        let (action, dry) = (&self.action, self.action.environment.flag("dry-run").ok().flatten() == Some(true));
        if LONG.contains(&action.command()) && !dry && action.may_begin_comment() {
            action.save("comment-key", &action.comment_key());
            feedback::begin(action, manifest.namespace());
        }
    }

    fn annotate(&self, findings: &[Diagnostic], sources: &Sources) {
        annotate::of_findings(findings, sources).for_each(|annotation| self.action.log.annotate(&annotation));
        self.action.remember_findings(&diagnostic::text(findings, sources, diagnostic::Style::Plain));
    }

    fn run_begins(&self) -> bool {
        self.action.signals.run_begins()
    }

    fn ledger_created(&self, path: &Path) {
        self.action.save("ledger", &path.display().to_string());
        for path in path.parent().into_iter().chain([path]) {
            self.action.give_to_runner(path);
        }
    }

    fn file_created(&self, path: &Path) {
        self.action.give_to_runner(path);
    }

    /// Saves how the post step connects to the platform, for a run that creates something.
    fn platform_chosen(&self, run: &Run, name: &str, args: &PlatformArgs) {
        if run.ledger().path().is_some() {
            self.action.save("platform", name);
            self.action.save("platform-args", &serde_json::to_string(args).unwrap_or_default());
        }
    }

    fn output(&self, name: &str, value: &str) {
        if name == "report" {
            self.action.report_output(Path::new(value));
        } else {
            self.action.output(name, value);
        }
    }

    fn page(&self, title: &str, text: &str) {
        feedback::show(&self.action, &Page { title, text });
    }

    fn ended(&self, result: &Result<u8>) {
        match result {
            Err(error) => {
                let failure = Failure::from(error);
                let rendered = error::failure(&failure, None, self.ui.paint);
                self.action.log.say(&rendered);
                self.action.log.annotate(&annotate::of_failure("ami-bake", &failure, self.action.manifest()));
                last_words(&self.action, &rendered);
            }
            Ok(0) => {}
            Ok(_) => last_words(&self.action, &self.action.findings()),
        }
        self.action.log.finish();
    }

    async fn preflight(&self, manifest: &Manifest, context: &VersionContext) -> Result<()> {
        write_back::preflight(&self.action, manifest, context).await
    }

    fn late_failure(&self) -> Option<u8> {
        self.action.late_failure()
    }

    async fn run_ended(&self, report: &Report, masker: &Masker) -> bool {
        if self.terminal.is_some() && !report.images.is_empty() {
            // With `--json` there is no log that sets them.
            for (name, value) in outputs::known(report) {
                self.action.output(name, &value);
            }
        }
        results::present(&self.action, report, masker).await;
        true
    }
}
