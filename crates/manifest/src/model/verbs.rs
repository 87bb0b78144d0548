//! What each verb of a step takes of its own.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{DurationText, Expect, Mode, OneOrMany, Ordered};

/// Runs a script, by `bash -euo pipefail` as root unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// The script. It comes over standard input, its own standard input is empty.
    #[schemars(length(min = 1))]
    pub run: String,
    /// The shell's command line. Default: `bash -euo pipefail`.
    pub shell: Option<String>,
    /// The user to run as. Default: `root`.
    pub r#as: Option<String>,
    /// The folder to run in. Default: `/`.
    pub working_directory: Option<String>,
}

/// Runs a script file of yours on the machine; its own shebang is honoured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// The local file.
    #[schemars(length(min = 1))]
    pub script: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// The shell's command line, instead of the shebang.
    pub shell: Option<String>,
    /// The user to run as. Default: `root`.
    pub r#as: Option<String>,
    /// The folder to run in. Default: `/`.
    pub working_directory: Option<String>,
}

/// Sends a file or a folder to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Upload {
    /// The local path; with a slash at the end, the folder's contents.
    #[schemars(length(min = 1))]
    pub upload: String,
    /// The path on the machine.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Globs of what stays behind.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// `user` or `user:group`. Default: `root`.
    pub owner: Option<String>,
    /// Permission bits of files; the local ones without.
    pub mode: Option<Mode>,
}

/// Fetches a file or a folder from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Download {
    /// The path on the machine.
    #[schemars(length(min = 1))]
    pub download: String,
    /// The local path.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Globs of what stays behind.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// Runs a playbook by `ansible-playbook`, over the machine's connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ansible {
    /// The playbook.
    #[schemars(length(min = 1))]
    pub ansible: String,
    /// A file of roles and collections to install first.
    pub requirements: Option<String>,
    /// Extra variables.
    #[serde(default)]
    pub vars: Ordered<Value>,
    /// Further arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Inventory groups that the machine is in.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Runs chef-solo or cinc-solo on the machine.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chef {
    /// The tool.
    pub chef: ChefTool,
    /// Folders of cookbooks.
    #[serde(default)]
    pub cookbooks: OneOrMany<String>,
    /// A folder of roles.
    pub roles: Option<String>,
    /// A folder of data bags, each a folder of items.
    pub data_bags: Option<String>,
    /// A folder of environments.
    pub environments: Option<String>,
    /// The environment that the machine is in.
    pub environment: Option<String>,
    /// Recipes and roles, in order.
    #[serde(default)]
    pub run_list: OneOrMany<String>,
    /// Node attributes.
    #[serde(default)]
    pub attributes: Ordered<Value>,
}

/// Which of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChefTool {
    /// Chef's own.
    ChefSolo,
    /// The free distribution.
    CincSolo,
}

/// Runs an Image Builder component document, as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Component {
    /// The document.
    #[schemars(length(min = 1))]
    pub component: String,
    /// Its parameters.
    #[serde(default)]
    pub with: Ordered<String>,
    /// Its phases that run here; those of the list that the step is in without.
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

/// Restarts the machine and waits until it is back.
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

/// Waits until a port, a file or a command answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wait {
    /// What has to answer.
    pub wait: WaitTarget,
    /// The time between two looks.
    pub interval: Option<DurationText>,
}

/// What has to answer: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct WaitTarget {
    /// A TCP port on the machine.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// A path on the machine.
    pub file: Option<String>,
    /// A command that exits with 0.
    pub command: Option<String>,
}

/// Asserts something about the machine, polled until it holds or its time is over (60 s).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectation {
    /// The assertion.
    pub expect: Expect,
}
