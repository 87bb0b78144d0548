//! `download`: a file or a folder from the machine.

use ami_bake_core::plan::{DownloadStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::step_type::{Keyed, StepContext, StepSettings};

/// Copies a file or folder from the machine.
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
}

impl Keyed for Download {
    const KEY: &'static str = "download";

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Download(step) = action {
            step.to.clear();
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
        }))
    }
}
