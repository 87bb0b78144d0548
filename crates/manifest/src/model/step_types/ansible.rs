//! `ansible`: runs a playbook on this computer.

use std::path::PathBuf;

use ami_bake_core::Result;
use ami_bake_core::plan::{AnsibleStep, StepAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::Ordered;
use super::script::file_name;
use super::step_type::{FileKey, FileKind, Keyed, StepContext, StepSettings};
use crate::playbook;
use crate::secret::object;
use crate::step_files::FileDigest;

/// Runs a playbook with `ansible-playbook`, over the connection of the bake.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Ansible {
    /// The path of the playbook.
    #[schemars(length(min = 1))]
    ansible: String,
    /// A file with roles and collections to install first.
    requirements: Option<String>,
    /// Extra variables.
    #[serde(default)]
    vars: Ordered<Value>,
    /// Inventory groups that the machine is a member of.
    #[serde(default)]
    groups: Vec<String>,
    /// The name of the machine in the inventory. With `localhost`, plays and tasks for `localhost` run on the machine. Default: the name of the image.
    #[schemars(length(min = 1))]
    host: Option<String>,
    /// Additional arguments of `ansible-playbook`.
    #[serde(default)]
    args: Vec<String>,
}

const HELP: &str = "`ansible` needs a playbook, `requirements` a file of roles and collections.";

impl Keyed for Ansible {
    const KEY: &'static str = "ansible";
    const SECRETS: &'static [&'static str] = &["vars"];
    const FILES: &'static [FileKey] = &[
        FileKey { key: "ansible", kind: FileKind::File, help: HELP },
        FileKey { key: "requirements", kind: FileKind::File, help: HELP },
    ];

    fn clear_paths(action: &mut StepAction) {
        if let StepAction::Ansible(AnsibleStep { playbook, requirements, folder, .. }) = action {
            [Some(playbook), requirements.as_mut(), Some(folder)].into_iter().flatten().for_each(PathBuf::clear);
        }
    }

    fn digest(files: &mut FileDigest<'_>) -> Result<()> {
        let step = files.step;
        let StepAction::Ansible(AnsibleStep { playbook, requirements, folder, args, .. }) = &step.action else {
            return Ok(());
        };
        let parts = playbook::parts(playbook, requirements.as_deref(), folder, args, &step.env, files.access);
        parts.files.iter().try_for_each(|path| files.used(path).map(drop))
    }

    fn path(action: &StepAction) -> Option<String> {
        match action {
            StepAction::Ansible(step) => Some(step.playbook.display().to_string()),
            _ => None,
        }
    }
}

impl StepSettings for Ansible {
    fn about(&self) -> String {
        file_name(&self.ansible)
    }

    fn lower(&self, context: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Ansible(AnsibleStep {
            playbook: context.folder.join(&self.ansible),
            requirements: self.requirements.as_ref().map(|path| context.folder.join(path)),
            folder: context.folder.to_owned(),
            vars: object(self.vars.0.clone()),
            args: self.args.clone(),
            groups: self.groups.clone(),
            host: self.host.clone(),
            user: context.user.map(str::to_owned),
        }))
    }
}
