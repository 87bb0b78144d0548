//! `run`: runs a script that is written in the manifest.

use ami_bake_core::plan::{RunStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::step_type::{Keyed, StepContext, StepSettings};

/// Runs a script on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Run {
    /// The script. It is sent over standard input; the standard input of the script itself is empty.
    #[schemars(length(min = 1))]
    run: String,
    /// The command line of the shell. Default: `bash -euo pipefail`.
    shell: Option<String>,
    /// The user to run as. Default: `root`.
    r#as: Option<String>,
    /// The working directory. Default: `/`.
    working_directory: Option<String>,
}

impl Keyed for Run {
    const KEY: &'static str = "run";
}

impl StepSettings for Run {
    fn about(&self) -> String {
        first_line(&self.run)
    }

    fn lower(&self, _: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Run(RunStep {
            script: self.run.clone(),
            shell: self.shell.clone(),
            user: self.r#as.clone(),
            working_directory: self.working_directory.clone(),
        }))
    }
}

/// The first line of a script that is not blank or a comment, cut to the length of a title.
pub(super) fn first_line(script: &str) -> String {
    const LENGTH: usize = 50;
    let line = script
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("set "))
        .unwrap_or_default();
    if line.chars().count() <= LENGTH {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(LENGTH - 1).collect();
    cut.push('…');
    cut
}
