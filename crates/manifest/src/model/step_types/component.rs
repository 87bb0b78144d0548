//! `component`: runs an Image Builder component document.

use ami_bake_core::Result;
use ami_bake_core::plan::{ComponentStep, Phase, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Ordered;
use super::script::file_name;
use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};
use crate::step_files::FileDigest;

/// Runs an EC2 Image Builder component document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Component {
    /// The path of the component document.
    #[schemars(length(min = 1))]
    component: String,
    /// Values of the document's parameters.
    #[serde(default)]
    with: Ordered<String>,
    /// The phases of the document to run. Default: the phase that the step is in.
    #[serde(default)]
    phases: Vec<ComponentPhase>,
}

/// A phase of a component document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ComponentPhase {
    /// `build`
    Build,
    /// `validate`
    Validate,
    /// `test`
    Test,
}

impl Keyed for Component {
    const KEY: &'static str = "component";
    const FILES: &'static [FileKey] =
        &[FileKey { key: "component", kind: FileKind::File, help: "`component` needs a component document." }];

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Component(step) = action {
            step.path.clear();
        }
    }

    fn digest(files: &mut FileDigest<'_>) -> Result<()> {
        match &files.step.action {
            StepAction::Component(step) => files.file(&step.path),
            _ => Ok(()),
        }
    }

    fn path(action: &StepAction) -> Option<String> {
        match action {
            StepAction::Component(step) => Some(step.path.display().to_string()),
            _ => None,
        }
    }
}

impl StepSettings for Component {
    fn about(&self) -> String {
        file_name(&self.component)
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        let phase = |phase: &ComponentPhase| match phase {
            ComponentPhase::Build => Phase::Build,
            ComponentPhase::Validate => Phase::Validate,
            ComponentPhase::Test => Phase::Test,
        };
        Some(StepAction::Component(ComponentStep {
            path: context.folder.join(&self.component),
            parameters: self.with.0.clone(),
            phases: if self.phases.is_empty() { vec![context.phase] } else { self.phases.iter().map(phase).collect() },
        }))
    }
}
