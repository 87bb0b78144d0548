//! `upload`: sends a file or a folder to the machine.

use ami_bake_core::Result;
use ami_bake_core::plan::{StepAction, UploadStep};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Mode;
use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};
use crate::step_files::FileDigest;

/// Copies a local file or folder to the machine. Of a folder, these files are left out: what a `.bakeignore` file in it
/// lists (patterns like those of `.gitignore`), `.git` and other folders of Git's own, and what ami-bake writes itself:
/// `bake-report.json`, keys of kept machines and new folders of `--log-dir`. Patterns such as `!notes.txt` under `exclude`
/// include what a `.bakeignore` lists. `!.git` includes `.git`, if it is that of the manifest's repository and not in a
/// workflow run that anyone can start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Upload {
    /// The local path. With a trailing slash: the contents of the folder.
    #[schemars(length(min = 1))]
    upload: String,
    /// The path on the machine.
    #[schemars(length(min = 1))]
    to: String,
    /// Files to leave out: patterns like those of `.gitignore`. Default: `.git`; `!.git` includes it.
    #[serde(default)]
    exclude: Vec<String>,
    /// `user` or `user:group`. Default: `root`.
    owner: Option<String>,
    /// The permission bits of files. Default: those of the local files.
    mode: Option<Mode>,
    /// Whether to upload what symbolic links point to, instead of the links. Default: `false`.
    #[serde(default)]
    follow_links: bool,
}

impl Keyed for Upload {
    const KEY: &'static str = "upload";
    const FILES: &'static [FileKey] = &[FileKey { key: "upload", kind: FileKind::Any, help: "" }];

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Upload(step) = action {
            step.from.clear();
        }
    }

    fn digest(files: &mut FileDigest<'_>) -> Result<()> {
        match &files.step.action {
            StepAction::Upload(step) => files.upload(&step.from, step.contents, &step.exclude, step.follow_links),
            _ => Ok(()),
        }
    }

    fn path(action: &StepAction) -> Option<String> {
        match action {
            StepAction::Upload(step) => {
                Some(format!("{}{}", step.from.display(), if step.contents { "/" } else { "" }))
            }
            _ => None,
        }
    }

    fn exclude(action: &StepAction) -> &[String] {
        match action {
            StepAction::Upload(step) => &step.exclude,
            _ => &[],
        }
    }
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
            follow_links: self.follow_links,
        }))
    }
}
