//! `script`: runs a local script file.

use std::path::Path;

use ami_bake_core::Result;
use ami_bake_core::plan::{ScriptStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};
use crate::step_files::FileDigest;

/// Runs a local script file on the machine. Its shebang is respected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Script {
    /// The local path of the script.
    #[schemars(length(min = 1))]
    script: String,
    /// Arguments of the script.
    #[serde(default)]
    args: Vec<String>,
    /// The command line of the shell. Default: the shebang.
    shell: Option<String>,
    /// The user to run as. Default: `root`.
    r#as: Option<String>,
    /// The working directory. Default: `/`.
    working_directory: Option<String>,
}

impl Keyed for Script {
    const KEY: &'static str = "script";
    const FILES: &'static [FileKey] = &[FileKey {
        key: "script",
        kind: FileKind::File,
        help: "`script` needs a single file. To copy folders, use `upload`.",
    }];

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Script(step) = action {
            step.path.clear();
        }
    }

    fn digest(files: &mut FileDigest<'_>) -> Result<()> {
        match &files.step.action {
            StepAction::Script(step) => files.file(&step.path),
            _ => Ok(()),
        }
    }

    fn path(action: &StepAction) -> Option<String> {
        match action {
            StepAction::Script(step) => Some(step.path.display().to_string()),
            _ => None,
        }
    }
}

impl StepSettings for Script {
    fn about(&self) -> String {
        file_name(&self.script)
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Script(ScriptStep {
            path: context.folder.join(&self.script),
            args: self.args.clone(),
            shell: self.shell.clone(),
            user: self.r#as.clone(),
            working_directory: self.working_directory.clone(),
        }))
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
