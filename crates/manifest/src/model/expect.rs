//! Expectations about a machine.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Mode, OneOrMany, Ordered, Short, Shorthand};

/// What to check: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Expect {
    /// An HTTP response.
    pub http: Option<HttpExpectation>,
    /// A TCP port that something listens on.
    pub port: Option<Short<PortExpectation>>,
    /// A running service.
    pub service: Option<Short<ServiceExpectation>>,
    /// An installed package.
    pub package: Option<Short<PackageExpectation>>,
    /// A file or folder that exists.
    pub file: Option<Short<FileExpectation>>,
    /// A user account that exists.
    pub user: Option<Short<UserExpectation>>,
    /// A command that exits with status 0.
    pub command: Option<Short<CommandExpectation>>,
}

/// An HTTP response. The request goes through the machine's connection, so the image needs no HTTP client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpExpectation {
    /// The host as seen from the machine. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// The port. Default: `80`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The path. Default: `/`.
    #[schemars(regex(pattern = "^/"), title = "absolute path", extend("examples" = ["/", "/health"]))]
    pub path: Option<String>,
    /// The expected status code. Default: any from 200 to 399.
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Text that the body must contain.
    pub body: Option<String>,
    /// Response headers, each with text that its value must contain.
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
    /// The host as seen from the machine. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// `false`: nothing may listen on it. Default: `true`.
    pub open: Option<bool>,
}

impl Shorthand for PortExpectation {
    const KEY: &'static str = "port";
}

/// A service of the machine's init system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceExpectation {
    /// The name of the unit.
    pub name: String,
    /// `false`: the service must not run. Default: `true`.
    pub running: Option<bool>,
    /// Whether the service starts at boot. Default: not checked.
    pub enabled: Option<bool>,
}

impl Shorthand for ServiceExpectation {
    const KEY: &'static str = "name";
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PackageExpectation {
    /// The name of the package.
    pub name: String,
    /// The prefix that the installed version must have.
    pub version: Option<String>,
    /// `false`: the package must not be installed. Default: `true`.
    pub installed: Option<bool>,
}

impl Shorthand for PackageExpectation {
    const KEY: &'static str = "name";
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileExpectation {
    /// The path.
    pub path: String,
    /// `false`: it must not exist. Default: `true`.
    pub exists: Option<bool>,
    /// Text that the file must contain.
    pub contains: Option<String>,
    /// The permission bits.
    pub mode: Option<Mode>,
    /// `user` or `user:group`.
    pub owner: Option<String>,
    /// The SHA-256 checksum of the content, in hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"), title = "SHA-256 checksum")]
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
    /// `false`: it must not exist. Default: `true`.
    pub exists: Option<bool>,
    /// Groups that the user must be a member of.
    #[serde(default)]
    pub groups: OneOrMany<String>,
    /// The login shell.
    pub shell: Option<String>,
    /// The home directory.
    pub home: Option<String>,
}

impl Shorthand for UserExpectation {
    const KEY: &'static str = "name";
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandExpectation {
    /// The script, executed like a `run` step.
    pub run: String,
    /// The expected exit status. Default: `0`.
    #[schemars(range(min = 0, max = 255))]
    pub status: Option<i32>,
    /// Text that standard output must contain.
    pub stdout: Option<String>,
    /// Text that standard error must contain.
    pub stderr: Option<String>,
}

impl Shorthand for CommandExpectation {
    const KEY: &'static str = "run";
}
