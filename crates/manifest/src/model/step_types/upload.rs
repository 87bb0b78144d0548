//! `upload`: a file or a folder to the machine.

use ami_bake_core::plan::{StepAction, UploadStep};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Mode;
use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};

/// Copies a local file or folder to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Upload {
    /// The local path. With a trailing slash: the contents of the folder.
    #[schemars(length(min = 1))]
    upload: String,
    /// The path on the machine.
    #[schemars(length(min = 1))]
    to: String,
    /// Globs of files to leave out.
    #[serde(default)]
    exclude: Vec<String>,
    /// `user` or `user:group`. Default: `root`.
    owner: Option<String>,
    /// The permission bits of files. Default: those of the local files.
    mode: Option<Mode>,
}

impl Keyed for Upload {
    const KEY: &'static str = "upload";
    const FILES: &'static [FileKey] = &[FileKey { key: "upload", kind: FileKind::Any, help: "" }];
}

impl StepSettings for Upload {
    fn about(&self) -> String {
        self.to.clone()
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Upload(UploadStep {
            from: context.folder.join(self.upload.trim_end_matches('/')),
            contents: self.upload.ends_with('/'),
            to: self.to.clone(),
            exclude: self.exclude.clone(),
            owner: self.owner.clone(),
            mode: self.mode.as_ref().and_then(Mode::bits),
        }))
    }
}
