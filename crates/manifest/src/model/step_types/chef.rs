//! `chef`: runs chef-solo or cinc-solo on the machine.

use std::path::PathBuf;

use ami_bake_core::Result;
use ami_bake_core::plan::{ChefStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::{OneOrMany, Ordered};
use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};
use crate::step_files::FileDigest;

/// Runs chef-solo or cinc-solo on the machine.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Chef {
    /// The program to run.
    chef: ChefTool,
    /// Folders that contain cookbooks.
    #[serde(default)]
    cookbooks: OneOrMany<String>,
    /// A folder of roles.
    roles: Option<String>,
    /// A folder of data bags, each of them a folder of items.
    data_bags: Option<String>,
    /// A folder of environments.
    environments: Option<String>,
    /// The Chef environment of the machine.
    environment: Option<String>,
    /// Recipes and roles to apply, in order.
    #[serde(default)]
    run_list: OneOrMany<String>,
    /// Node attributes.
    #[serde(default)]
    attributes: Ordered<Value>,
}

/// The Chef program to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChefTool {
    /// Chef Infra Client's `chef-solo`.
    ChefSolo,
    /// The free distribution, Cinc.
    CincSolo,
}

impl Keyed for Chef {
    const KEY: &'static str = "chef";
    const FILES: &'static [FileKey] = &[
        FileKey { key: "cookbooks", kind: FileKind::Folder, help: "`cookbooks` needs folders that contain cookbooks." },
        FileKey { key: "roles", kind: FileKind::Folder, help: "`roles` needs a folder." },
        FileKey { key: "data-bags", kind: FileKind::Folder, help: "`data-bags` needs a folder." },
        FileKey { key: "environments", kind: FileKind::Folder, help: "`environments` needs a folder." },
    ];

    // Only content and order of the folders matter; the digest has a label of its own for each kind.
    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Chef(ChefStep { cookbooks, roles, data_bags, environments, .. }) = action {
            cookbooks.clear();
            [roles, data_bags, environments].into_iter().flatten().for_each(PathBuf::clear);
        }
    }

    fn digest(files: &mut FileDigest<'_>) -> Result<()> {
        let StepAction::Chef(ChefStep { cookbooks, roles, data_bags, environments, .. }) = &files.step.action else {
            return Ok(());
        };
        let mut paths = cookbooks.iter().chain([roles, data_bags, environments].into_iter().flatten());
        paths.try_for_each(|path| files.used_and_sent(path))
    }
}

impl StepSettings for Chef {
    fn about(&self) -> String {
        self.run_list.0.join(", ")
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        let local = |path: &Option<String>| path.as_ref().map(|path| context.folder.join(path));
        Some(StepAction::Chef(ChefStep {
            tool: match self.chef {
                ChefTool::ChefSolo => "chef-solo".to_owned(),
                ChefTool::CincSolo => "cinc-solo".to_owned(),
            },
            cookbooks: self.cookbooks.0.iter().map(|path| context.folder.join(path)).collect(),
            roles: local(&self.roles),
            data_bags: local(&self.data_bags),
            environments: local(&self.environments),
            environment: self.environment.clone(),
            run_list: self.run_list.0.clone(),
            attributes: Value::Object(self.attributes.0.iter().cloned().collect()).to_string(),
        }))
    }
}
