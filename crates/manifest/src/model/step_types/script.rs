//! `script`: a local script file.

use std::path::Path;

use ami_bake_core::plan::{ScriptStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};

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
