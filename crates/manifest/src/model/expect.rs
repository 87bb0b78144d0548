//! Assertions about a machine.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Mode, OneOrMany, Ordered, Short, Shorthand};

/// One assertion about the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Expect {
    /// An HTTP answer.
    pub http: Option<HttpExpectation>,
    /// A TCP port that listens.
    pub port: Option<Short<PortExpectation>>,
    /// A service that runs.
    pub service: Option<Short<ServiceExpectation>>,
    /// A package that is installed.
    pub package: Option<Short<PackageExpectation>>,
    /// A file or folder that is there.
    pub file: Option<Short<FileExpectation>>,
    /// A user account that is there.
    pub user: Option<Short<UserExpectation>>,
    /// A command that exits with 0.
    pub command: Option<Short<CommandExpectation>>,
}

/// An HTTP answer, asked for through the machine's connection: the image needs no tool for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpExpectation {
    /// The host, seen from the machine. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// The port. Default: 80.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The path. Default: `/`.
    #[schemars(regex(pattern = "^/"), title = "a path", extend("examples" = ["/", "/health"]))]
    pub path: Option<String>,
    /// The status. Default: any from 200 to 399.
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// A text that the body holds.
    pub body: Option<String>,
    /// Headers of the answer, with a text that the value holds.
    #[serde(default)]
    pub headers: Ordered<String>,
}

/// A TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PortExpectation {
    /// The port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The host, seen from the machine. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// `false`: nothing may listen.
    pub open: Option<bool>,
}

impl Shorthand for PortExpectation {
    const KEY: &'static str = "port";
}

/// A service of the machine's init.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceExpectation {
    /// The unit.
    pub name: String,
    /// `false`: it may not run.
    pub running: Option<bool>,
    /// Whether it starts at boot; not looked at without.
    pub enabled: Option<bool>,
}

impl Shorthand for ServiceExpectation {
    const KEY: &'static str = "name";
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PackageExpectation {
    /// The package.
    pub name: String,
    /// What its version begins with.
    pub version: Option<String>,
    /// `false`: it may not be installed.
    pub installed: Option<bool>,
}

impl Shorthand for PackageExpectation {
    const KEY: &'static str = "name";
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileExpectation {
    /// Its path.
    pub path: String,
    /// `false`: it may not be there.
    pub exists: Option<bool>,
    /// A text that it holds.
    pub contains: Option<String>,
    /// Its permission bits.
    pub mode: Option<Mode>,
    /// `user` or `user:group`.
    pub owner: Option<String>,
    /// The SHA-256 of its content, in hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"), title = "a SHA-256 in hexadecimal")]
    pub sha256: Option<String>,
}

impl Shorthand for FileExpectation {
    const KEY: &'static str = "path";
}

/// A user account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UserExpectation {
    /// The login name.
    pub name: String,
    /// `false`: it may not be there.
    pub exists: Option<bool>,
    /// Groups that it is in.
    #[serde(default)]
    pub groups: OneOrMany<String>,
    /// Its login shell.
    pub shell: Option<String>,
    /// Its home folder.
    pub home: Option<String>,
}

impl Shorthand for UserExpectation {
    const KEY: &'static str = "name";
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandExpectation {
    /// The script, run as `run` does.
    pub run: String,
    /// Its exit status. Default: 0.
    #[schemars(range(min = 0, max = 255))]
    pub status: Option<i32>,
    /// A text that standard output holds.
    pub stdout: Option<String>,
    /// A text that standard error holds.
    pub stderr: Option<String>,
}

impl Shorthand for CommandExpectation {
    const KEY: &'static str = "run";
}
