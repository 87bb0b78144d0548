//! Settings of each step type, one struct per type.
//!
//! A new step type is added here, in the manifest crate (its keys) and in the steps crate (its implementation):
//! docs/dev/add-a-step.md. The digest hashes the serialized form: a field that is added later is left out of it while
//! it has its default.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Expectation, Phase, Value};
use crate::archive::ArchiveLimits;

/// A step type with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepAction {
    /// Runs a script that is written in the manifest.
    Run(RunStep),
    /// Runs a local script file.
    Script(ScriptStep),
    /// Sends a file or a folder.
    Upload(UploadStep),
    /// Fetches a file or a folder.
    Download(DownloadStep),
    /// Runs an Image Builder component document.
    Component(ComponentStep),
    /// Runs a playbook.
    Ansible(AnsibleStep),
    /// Runs chef-solo or cinc-solo.
    Chef(ChefStep),
    /// Restarts the machine and waits until it is back.
    Reboot,
    /// Waits for a port, a file or a command.
    Wait(WaitStep),
    /// Asserts something about the machine.
    Expect(Expectation),
}

impl StepAction {
    /// The step type's key in manifests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Script(_) => "script",
            Self::Upload(_) => "upload",
            Self::Download(_) => "download",
            Self::Component(_) => "component",
            Self::Ansible(_) => "ansible",
            Self::Chef(_) => "chef",
            Self::Reboot => "reboot",
            Self::Wait(_) => "wait",
            Self::Expect(_) => "expect",
        }
    }
}

/// Runs a script that is written in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// The script.
    pub script: String,
    /// The shell's command line. Default: `bash -euo pipefail`.
    pub shell: Option<String>,
    /// The user to run as. Default: root.
    pub user: Option<String>,
    /// The folder to run in. Default: `/`.
    pub working_directory: Option<String>,
}

/// Runs a local script file; its own shebang is honored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptStep {
    /// The local file.
    pub path: PathBuf,
    /// Arguments.
    pub args: Vec<String>,
    /// The shell's command line, instead of the shebang.
    pub shell: Option<String>,
    /// The user to run as. Default: root.
    pub user: Option<String>,
    /// The folder to run in. Default: `/`.
    pub working_directory: Option<String>,
}

/// Sends a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadStep {
    /// The local path.
    pub from: PathBuf,
    /// True for a folder's contents instead of the folder itself (a trailing slash in the manifest).
    pub contents: bool,
    /// The path on the machine.
    pub to: String,
    /// Globs of files that are not sent.
    pub exclude: Vec<String>,
    /// `user` or `user:group`. Default: root.
    pub owner: Option<String>,
    /// Permission bits of files. Default: those of the local files. Folders get the x bits that the r bits imply.
    pub mode: Option<u32>,
    /// True to send what symbolic links point to instead of the links.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow_links: bool,
}

/// Fetches a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadStep {
    /// The path on the machine.
    pub from: String,
    /// The local path.
    pub to: PathBuf,
    /// Globs of files that are not fetched.
    pub exclude: Vec<String>,
    /// Limits on the archive that the machine sends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: ArchiveLimits,
}

fn is_default(limits: &ArchiveLimits) -> bool {
    *limits == ArchiveLimits::default()
}

/// Runs an Image Builder component document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStep {
    /// The local file.
    pub path: PathBuf,
    /// Values of the document's parameters.
    pub parameters: Vec<(String, String)>,
    /// Phases of the document to run, in the document's own order.
    pub phases: Vec<Phase>,
}

/// Runs a playbook with `ansible-playbook` on this computer, over the machine's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsibleStep {
    /// The local playbook file.
    pub playbook: PathBuf,
    /// A local file of roles and collections to install first.
    pub requirements: Option<PathBuf>,
    /// The local folder in which `ansible-playbook` runs.
    pub folder: PathBuf,
    /// A JSON object of extra variables; its strings may contain secrets.
    pub vars: Value,
    /// Further arguments.
    pub args: Vec<String>,
    /// Inventory groups that the machine is in.
    pub groups: Vec<String>,
    /// The machine's name in the inventory. Default: the name of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The user to run as on machines with a login. Default: root.
    pub user: Option<String>,
}

/// Runs chef-solo or cinc-solo on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChefStep {
    /// Name of the program: `chef-solo` or `cinc-solo`.
    pub tool: String,
    /// Local folders of cookbooks.
    pub cookbooks: Vec<PathBuf>,
    /// A local folder of roles.
    pub roles: Option<PathBuf>,
    /// A local folder of data bags.
    pub data_bags: Option<PathBuf>,
    /// A local folder of environments.
    pub environments: Option<PathBuf>,
    /// The environment that the machine is in.
    pub environment: Option<String>,
    /// Recipes and roles, in order.
    pub run_list: Vec<String>,
    /// A JSON object of node attributes.
    pub attributes: String,
}

/// Waits for a port, a file or a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitStep {
    /// The port, file or command to wait for.
    pub until: WaitFor,
    /// Time between two attempts. Default: 1 s.
    pub interval: Option<Duration>,
}

/// Condition that a `wait` step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// The TCP port on the machine accepts connections.
    Port(u16),
    /// The path exists on the machine.
    File(String),
    /// The command exits with 0.
    Command(String),
}
