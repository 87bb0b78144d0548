//! The keys of each step type.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{DurationText, Expect, Mode, OneOrMany, Ordered};

/// Runs a script on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// The script. It is sent over standard input; the standard input of the script itself is empty.
    #[schemars(length(min = 1))]
    pub run: String,
    /// The command line of the shell. Default: `bash -euo pipefail`.
    pub shell: Option<String>,
    /// The user to run as. Default: `root`.
    pub r#as: Option<String>,
    /// The working directory. Default: `/`.
    pub working_directory: Option<String>,
}

/// Runs a local script file on the machine. Its shebang is respected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// The local path of the script.
    #[schemars(length(min = 1))]
    pub script: String,
    /// Arguments of the script.
    #[serde(default)]
    pub args: Vec<String>,
    /// The command line of the shell. Default: the shebang.
    pub shell: Option<String>,
    /// The user to run as. Default: `root`.
    pub r#as: Option<String>,
    /// The working directory. Default: `/`.
    pub working_directory: Option<String>,
}

/// Copies a local file or folder to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Upload {
    /// The local path. With a trailing slash: the contents of the folder.
    #[schemars(length(min = 1))]
    pub upload: String,
    /// The path on the machine.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Globs of files to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// `user` or `user:group`. Default: `root`.
    pub owner: Option<String>,
    /// The permission bits of files. Default: those of the local files.
    pub mode: Option<Mode>,
}

/// Copies a file or folder from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Download {
    /// The path on the machine.
    #[schemars(length(min = 1))]
    pub download: String,
    /// The local path.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Globs of files to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// Runs a playbook with `ansible-playbook`, over the connection of the bake.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ansible {
    /// The path of the playbook.
    #[schemars(length(min = 1))]
    pub ansible: String,
    /// A file with roles and collections to install first.
    pub requirements: Option<String>,
    /// Extra variables.
    #[serde(default)]
    pub vars: Ordered<Value>,
    /// Additional arguments of `ansible-playbook`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Inventory groups that the machine is a member of.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Runs chef-solo or cinc-solo on the machine.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chef {
    /// The program to run.
    pub chef: ChefTool,
    /// Folders that contain cookbooks.
    #[serde(default)]
    pub cookbooks: OneOrMany<String>,
    /// A folder of roles.
    pub roles: Option<String>,
    /// A folder of data bags, each of them a folder of items.
    pub data_bags: Option<String>,
    /// A folder of environments.
    pub environments: Option<String>,
    /// The Chef environment of the machine.
    pub environment: Option<String>,
    /// Recipes and roles to apply, in order.
    #[serde(default)]
    pub run_list: OneOrMany<String>,
    /// Node attributes.
    #[serde(default)]
    pub attributes: Ordered<Value>,
}

/// The Chef program to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChefTool {
    /// Chef Infra Client's `chef-solo`.
    ChefSolo,
    /// The free distribution, Cinc.
    CincSolo,
}

/// Runs an EC2 Image Builder component document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Component {
    /// The path of the component document.
    #[schemars(length(min = 1))]
    pub component: String,
    /// Values of the document's parameters.
    #[serde(default)]
    pub with: Ordered<String>,
    /// The phases of the document to run. Default: the phase that the step is in.
    #[serde(default)]
    pub phases: Vec<ComponentPhase>,
}

/// A phase of a component document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentPhase {
    /// `build`
    Build,
    /// `validate`
    Validate,
    /// `test`
    Test,
}

/// Reboots the machine and waits until it is back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reboot {
    /// `true`.
    pub reboot: True,
}

/// The value `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct True(pub bool);

impl JsonSchema for True {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "True".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean", "const": true })
    }
}

/// Waits until a port is open, a file exists or a command succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wait {
    /// What to wait for.
    pub wait: WaitTarget,
    /// The time between two checks. Default: `1s`.
    pub interval: Option<DurationText>,
}

/// What to wait for: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct WaitTarget {
    /// A TCP port on the machine.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The path of a file on the machine.
    pub file: Option<String>,
    /// A command that exits with status 0.
    pub command: Option<String>,
}

/// Checks something about the machine until it is true or the time limit is over. Default `timeout`: `60s`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectation {
    /// What to check.
    pub expect: Expect,
}
