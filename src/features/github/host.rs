//! The action as the host of a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;
use ami_bake_core::{Result, Run};
use ami_bake_github::runner::{Annotation, Level};
use ami_bake_manifest::Manifest;
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use async_trait::async_trait;
use indicatif::MultiProgress;
use serde_json::Value;

use super::action::Action;
use super::reporter::ActionLog;
use super::step::line_rule;
use super::{annotate, results, workflow};
use crate::args::PlatformArgs;
use crate::facts::{Baking, Facts, ImageNames};
use crate::host::{Host, HostIdentity};
use crate::out::{Cleaner, json_text};
use crate::report::{self, Reporter, Show};
use crate::ui::Ui;

/// Hands what a command does to the action.
pub(super) struct ActionHost {
    action: Arc<Action>,
    ui: Ui,
}

impl ActionHost {
    /// The host of this action.
    pub(super) fn new(action: Arc<Action>) -> Self {
        Self { action, ui: Ui::detect() }
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
        self.action.log.say(text);
    }

    fn json(&self, value: &Value, one_line: bool) {
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

    /// The runner's own folder, so that the post step finds the ledger.
    fn ledger_folder(&self) -> Option<PathBuf> {
        Some(self.action.environment.shared_folder().join("ami-bake"))
    }

    fn manifest_loaded(&self, manifest: &Arc<Manifest>) {
        self.action.remember(manifest);
    }

    fn annotate(&self, findings: &[Diagnostic], sources: &Sources) {
        annotate::of_findings(findings, sources).for_each(|annotation| self.action.log.annotate(&annotation));
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

    /// Saves how the post step reaches the platform of a run that creates something.
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

    async fn run_ended(&self, report: &Report, masker: &Masker) -> bool {
        results::present(&self.action, report, masker).await;
        true
    }
}
