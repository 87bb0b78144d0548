//! Steps as data: a verb with its own settings, and what every step has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::route::Route;

/// The part of a bake in which a step runs; Image Builder's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Makes the image.
    Build,
    /// Looks at the build machine before the capture.
    Validate,
    /// Looks at a fresh machine that booted the image.
    Test,
}

impl Phase {
    /// The manifest's key of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Test => "test",
        }
    }
}

/// What a failed step means (Image Builder's meaning).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The image's bake ends.
    #[default]
    Abort,
    /// The next steps run, the bake fails at the end.
    Continue,
    /// The failure is told and forgotten.
    Ignore,
}

/// A value of a step's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Text.
    Plain(String),
    /// Text with secrets in it: `parts` alternate as they stand.
    Secret(Vec<SecretPart>),
}

/// A piece of a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretPart {
    /// Text as it stands.
    Text(String),
    /// The value of the declared secret of this name, read from the run's secrets when the step runs.
    Name(String),
}

impl Value {
    /// The text with the values of its secrets in place.
    pub fn expose(&self, secrets: &BTreeMap<String, SecretString>) -> SecretString {
        match self {
            Self::Plain(text) => text.clone().into(),
            Self::Secret(parts) => parts
                .iter()
                .map(|part| match part {
                    SecretPart::Text(text) => text.as_str(),
                    SecretPart::Name(name) => secrets.get(name).map_or("", |secret| secret.expose_secret()),
                })
                .collect::<String>()
                .into(),
        }
    }
}

/// One step, with every expression evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in messages: the manifest's, or made from the verb.
    pub name: String,
    /// Where it stands in the manifest.
    pub route: Route,
    /// What it does.
    pub verb: Verb,
    /// Environment, in the manifest's order.
    pub env: Vec<(String, Value)>,
    /// Limit for one attempt; the verb's default without.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    pub retries: u32,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// How long the digest stands for it, for steps that move by themselves.
    pub cache_for: Option<Duration>,
}

impl Step {
    /// The longest that it can take with all its attempts, as far as its time-outs say.
    pub fn longest(&self) -> Duration {
        self.timeout.unwrap_or_default() * (self.retries + 1)
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Runs a script that stands in the manifest.
    Run {
        /// The script.
        script: String,
        /// The shell's command line; `bash -euo pipefail` without.
        shell: Option<String>,
        /// The user; root without.
        user: Option<String>,
        /// The folder to run in; `/` without.
        working_directory: Option<String>,
    },
    /// Runs a local script file; its own shebang is honoured.
    Script {
        /// The local file.
        path: PathBuf,
        /// Arguments.
        args: Vec<String>,
        /// The shell's command line instead of the shebang.
        shell: Option<String>,
        /// The user; root without.
        user: Option<String>,
        /// The folder to run in; `/` without.
        working_directory: Option<String>,
    },
    /// Sends a file or a folder.
    Upload {
        /// The local path.
        from: PathBuf,
        /// True when the folder's contents are meant, not the folder itself (a trailing slash).
        contents: bool,
        /// The path on the machine.
        to: String,
        /// Globs of what stays behind.
        exclude: Vec<String>,
        /// `user` or `user:group`; root without.
        owner: Option<String>,
        /// Permission bits of files; the local ones without. Folders get the x bits that the r bits imply.
        mode: Option<u32>,
    },
    /// Fetches a file or a folder.
    Download {
        /// The path on the machine.
        from: String,
        /// The local path.
        to: PathBuf,
        /// Globs of what stays behind.
        exclude: Vec<String>,
    },
    /// Runs an Image Builder component document.
    Component {
        /// The local file.
        path: PathBuf,
        /// Values of its parameters.
        parameters: Vec<(String, String)>,
        /// Its phases that run, in the document's own order.
        phases: Vec<Phase>,
    },
    /// Runs a playbook by `ansible-playbook` on this computer, over the machine's connection.
    Ansible {
        /// The local file.
        playbook: PathBuf,
        /// A local file of roles and collections to install first.
        requirements: Option<PathBuf>,
        /// The local folder in which it runs.
        folder: PathBuf,
        /// A JSON object of extra variables. Secrets stand inside its strings.
        vars: Value,
        /// Further arguments.
        args: Vec<String>,
        /// Inventory groups that the machine is in.
        groups: Vec<String>,
        /// Whom it runs as on machines that the bake logs in to; root without.
        user: Option<String>,
    },
    /// Runs chef-solo or cinc-solo on the machine.
    Chef {
        /// The program's name.
        tool: String,
        /// Local folders of cookbooks.
        cookbooks: Vec<PathBuf>,
        /// A local folder of roles.
        roles: Option<PathBuf>,
        /// A local folder of data bags.
        data_bags: Option<PathBuf>,
        /// A local folder of environments.
        environments: Option<PathBuf>,
        /// The environment that the machine is in.
        environment: Option<String>,
        /// Recipes and roles, in order.
        run_list: Vec<String>,
        /// A JSON object of node attributes.
        attributes: String,
    },
    /// Restarts the machine and waits until it is back.
    Reboot,
    /// Waits until something answers.
    Wait {
        /// What answers.
        until: WaitFor,
        /// Time between two looks.
        interval: Option<Duration>,
    },
    /// Asserts something about the machine.
    Expect(Expectation),
}

impl Verb {
    /// The manifest's key of it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Script { .. } => "script",
            Self::Upload { .. } => "upload",
            Self::Download { .. } => "download",
            Self::Component { .. } => "component",
            Self::Ansible { .. } => "ansible",
            Self::Chef { .. } => "chef",
            Self::Reboot => "reboot",
            Self::Wait { .. } => "wait",
            Self::Expect(_) => "expect",
        }
    }
}

/// What a `wait` waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// A TCP port on the machine.
    Port(u16),
    /// A path on the machine.
    File(String),
    /// A command that exits with 0.
    Command(String),
}

/// What an `expect` asserts; polled until it holds or its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The assertion.
    pub probe: Probe,
}

/// An assertion about a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// An HTTP answer, asked for through the machine's connection.
    Http {
        /// Host as seen from the machine; `127.0.0.1` without.
        host: Option<String>,
        /// Port.
        port: u16,
        /// Path; `/` without.
        path: String,
        /// Expected status; any of 200 to 399 without.
        status: Option<u16>,
        /// A text that the body must hold.
        body: Option<String>,
        /// Headers that the answer must have, by lower-case name, with the text that the value must hold.
        headers: BTreeMap<String, String>,
    },
    /// A TCP port that listens, or with `open: false` doesn't.
    Port {
        /// Host as seen from the machine; `127.0.0.1` without.
        host: Option<String>,
        /// Port.
        port: u16,
        /// Whether it must listen.
        open: bool,
    },
    /// A service of the machine's init.
    Service {
        /// Unit name.
        name: String,
        /// Must run.
        running: bool,
        /// Must start at boot; not looked at without.
        enabled: Option<bool>,
    },
    /// An installed package.
    Package {
        /// Package name.
        name: String,
        /// Text that the version must begin with.
        version: Option<String>,
        /// Must be installed.
        installed: bool,
    },
    /// A file or folder.
    File {
        /// Path.
        path: String,
        /// Must be there.
        exists: bool,
        /// A text that it must hold.
        contains: Option<String>,
        /// Permission bits.
        mode: Option<u32>,
        /// `user` or `user:group`.
        owner: Option<String>,
        /// SHA-256 of the content, hexadecimal.
        sha256: Option<String>,
    },
    /// A user account.
    User {
        /// Login name.
        name: String,
        /// Must be there.
        exists: bool,
        /// Groups that it must be in.
        groups: Vec<String>,
        /// Login shell.
        shell: Option<String>,
        /// Home folder.
        home: Option<String>,
    },
    /// A command's result.
    Command {
        /// Script, run as `run` does.
        run: String,
        /// Expected exit status; 0 without.
        status: i32,
        /// A text that standard output must hold.
        stdout: Option<String>,
        /// A text that standard error must hold.
        stderr: Option<String>,
    },
}
