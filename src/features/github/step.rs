//! A step that runs a command itself, `run: ami-bake bake`: the runner reads both of its streams.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::mask::Masker;
use ami_bake_core::{Result, Run};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::event::Workflow;
use ami_bake_github::runner::{Annotation, Environment, Level, defuse};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use clap::ArgMatches;
use serde_json::Value;

use super::action::Action;
use super::host::ActionHost;
use super::{annotate, workflow};
use crate::facts::{Baking, Facts, ImageNames};
use crate::host::{Host, HostIdentity, TerminalHost};
use crate::out::{Cleaner, LineRule};
use crate::report::{Reporter, Show};
use crate::ui::Ui;

/// The host of a process that is not an action: a step of a workflow, or a terminal.
pub(in crate::features) fn host(surface: fn() -> clap::Command, cleaner: Cleaner) -> Arc<dyn Host> {
    let environment = Environment::of_process();
    let terminal = TerminalHost::detect(cleaner);
    if !environment.in_workflow() {
        return Arc::new(terminal);
    }
    // Before the real parse, which needs the host for its errors; aliases and global options are read as there.
    let parsed = surface().ignore_errors(true).try_get_matches_from(std::env::args_os()).unwrap_or_default();
    if is_on(&parsed) {
        let command = parsed.subcommand_name().unwrap_or_default().to_owned();
        if AS_ACTION.contains(&command.as_str()) {
            let action = Action::of_step(environment, Arc::clone(terminal.masker()));
            action.set_command(&command);
            return Arc::new(ActionHost::of_step(Arc::new(action), terminal));
        }
        Arc::new(StepHost { terminal, workflow: Workflow::of(&environment), environment })
    } else {
        Arc::new(terminal)
    }
}

/// Commands that write outputs, summary, annotations and comment as the action does.
const AS_ACTION: [&str; 8] = ["bake", "check", "plan", "matrix", "test", "publish", "promote", "deploy"];

/// False with `--github off`, before or after the name of the command.
fn is_on(parsed: &ArgMatches) -> bool {
    let off = parsed.try_get_raw("github").ok().flatten().into_iter().flatten().any(|value| value == "off");
    !off && parsed.subcommand().is_none_or(|(_, of_command)| is_on(of_command))
}

/// The rule for lines of output: in a workflow the runner reads both streams, so no line may be a command by accident.
pub(in crate::features) fn line_rule() -> Option<LineRule> {
    Environment::of_process().in_workflow().then_some(defuse)
}

/// A client for GitHub's API; `None` without a token.
fn api(environment: &Environment) -> Result<Option<Api>> {
    if ["GITHUB_TOKEN", "GH_TOKEN"].iter().all(|name| environment.get(name).is_none()) {
        return Ok(None);
    }
    Settings::of(environment, None, None).and_then(Api::new).map(Some)
}

/// A terminal host whose output the runner reads, too.
struct StepHost {
    terminal: TerminalHost,
    environment: Environment,
    workflow: Workflow,
}

impl Host for StepHost {
    fn ui(&self) -> Ui {
        self.terminal.ui()
    }

    fn data(&self, text: &str) {
        self.terminal.data(text);
    }

    fn masker(&self) -> &Arc<Masker> {
        self.terminal.masker()
    }

    fn json(&self, value: &Value, one_line: bool) {
        self.terminal.json(value, one_line);
    }

    fn say(&self, text: &str) {
        self.terminal.say(text);
    }

    fn reporter(&self, show: Show) -> Box<dyn Reporter> {
        self.terminal.reporter(show)
    }

    fn facts(&self, _: &Path) -> Facts {
        workflow::facts(&self.workflow)
    }

    fn admit(&self, manifest: &Path) -> Result<()> {
        workflow::admit(&self.workflow, manifest).map(drop)
    }

    fn baking(&self, manifest: &Path, names: &ImageNames) -> Result<Baking> {
        workflow::baking(&self.workflow, manifest, names, || api(&self.environment))
    }

    fn notice(&self, text: &str) {
        self.terminal.command(&Annotation::new(Level::Notice, "ami-bake", text).masked(self.masker()).command());
    }

    fn strangers(&self) -> Option<String> {
        self.workflow.strangers().map(str::to_owned)
    }

    fn identity(&self, run: &Run) -> Result<HostIdentity> {
        workflow::identity(&self.environment, &self.workflow, run)
    }

    fn annotate(&self, findings: &[Diagnostic], sources: &Sources) {
        for annotation in annotate::of_findings(findings, sources) {
            self.terminal.command(&annotation.masked(self.masker()).command());
        }
    }
}
