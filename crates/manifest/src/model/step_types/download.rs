//! `download`: fetches a file or a folder from the machine.

use ami_bake_core::archive::ArchiveLimits;
use ami_bake_core::plan::{DownloadStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::SizeText;
use super::step_type::{Keyed, StepContext, StepSettings};

/// Copies a file or folder from the machine. Nothing is written until all of it has arrived. Files of the same name are
/// replaced, and links below `to` are not followed. A folder may contain files, folders and links that stay inside it; hard
/// links arrive as copies. Anything else fails the step, unless it is listed under `exclude`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Download {
    /// The path on the machine.
    #[schemars(length(min = 1))]
    download: String,
    /// The local path.
    #[schemars(length(min = 1))]
    to: String,
    /// Globs of files to leave out.
    #[serde(default)]
    exclude: Vec<String>,
    /// The most that the machine may send. Default: 100000 files with 10 GiB.
    #[serde(default)]
    limits: DownloadLimits,
}

/// The most that the machine may send. A download that exceeds a limit fails, and nothing of it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DownloadLimits {
    /// The number of files, folders and links. Default: 100000.
    #[schemars(range(min = 1))]
    files: Option<u64>,
    /// The size of all files together. Default: `10GiB`.
    size: Option<SizeText>,
    /// The number of names in a path, from the downloaded folder on. Default: 64.
    #[schemars(range(min = 1, max = 1000))]
    depth: Option<u16>,
}

impl DownloadLimits {
    fn lower(&self) -> ArchiveLimits {
        let default = ArchiveLimits::default();
        ArchiveLimits {
            files: self.files.unwrap_or(default.files),
            size: self.size.as_ref().and_then(SizeText::bytes).unwrap_or(default.size),
            depth: self.depth.map_or(default.depth, usize::from),
        }
    }
}

impl Keyed for Download {
    const KEY: &'static str = "download";

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Download(step) = action {
            step.to.clear();
            // Limits do not change the image either.
            step.limits = ArchiveLimits::default();
        }
    }

    fn exclude(action: &StepAction) -> &[String] {
        match action {
            StepAction::Download(step) => &step.exclude,
            _ => &[],
        }
    }
}

impl StepSettings for Download {
    fn about(&self) -> String {
        self.download.clone()
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Download(DownloadStep {
            from: self.download.clone(),
            to: context.folder.join(&self.to),
            exclude: self.exclude.clone(),
            limits: self.limits.lower(),
        }))
    }
}
