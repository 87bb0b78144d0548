//! A command that a step runs by itself, `run: ami-bake bake`: the runner reads both of its streams.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::{Result, Run};
use ami_bake_github::event::Workflow;
use ami_bake_github::runner::{Environment, defuse};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};

use super::workflow_commands::SafeWriter;
use super::{annotate, workflow};
use crate::facts::Facts;
use crate::host::{Host, HostIdentity, TerminalHost};
use crate::report::{self, Reporter, Show};
use crate::ui::Ui;

/// The host of a process that is not an action: a step of a workflow, or a terminal.
pub(in crate::features) fn host() -> Arc<dyn Host> {
    let environment = Environment::of_process();
    let terminal = TerminalHost::detect();
    if environment.in_workflow() {
        Arc::new(StepHost { terminal, workflow: Workflow::of(&environment), environment })
    } else {
        Arc::new(terminal)
    }
}

/// A terminal whose output the runner reads too: no line of it may be a workflow command by accident.
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

    fn say(&self, text: &str) {
        let text: String = text.split_inclusive('\n').map(defuse).collect();
        self.terminal.say(&text);
    }

    fn reporter(&self, show: Show) -> Box<dyn Reporter> {
        let (out, err) = (SafeWriter::new(std::io::stdout()), SafeWriter::new(std::io::stderr()));
        report::reporter(show, self.ui(), Box::new(out), Box::new(err))
    }

    fn facts(&self, _: &Path) -> Facts {
        workflow::facts(&self.workflow)
    }

    fn identity(&self, run: &Run) -> Result<HostIdentity> {
        workflow::identity(&self.environment, &self.workflow, run)
    }

    fn annotate(&self, findings: &[Diagnostic], sources: &Sources) {
        for annotation in annotate::of_findings(findings, sources) {
            self.data(&format!("{}\n", annotation.command()));
        }
    }
}
