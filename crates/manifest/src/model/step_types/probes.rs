//! The assertions of `expect`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{Mode, OneOrMany, Ordered, Short, Shorthand};

/// What to check: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Expect {
    /// An HTTP response.
    pub(super) http: Option<HttpExpectation>,
    /// A TCP port that something listens on.
    pub(super) port: Option<Short<PortExpectation>>,
    /// A running service.
    pub(super) service: Option<Short<ServiceExpectation>>,
    /// An installed package.
    pub(super) package: Option<Short<PackageExpectation>>,
    /// A file or folder that exists.
    pub(super) file: Option<Short<FileExpectation>>,
    /// A user account that exists.
    pub(super) user: Option<Short<UserExpectation>>,
    /// A command that exits with status 0.
    pub(super) command: Option<Short<CommandExpectation>>,
}

/// An HTTP response. The request goes through the machine's connection, so the image needs no HTTP client. Redirects are
/// not followed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HttpExpectation {
    /// The scheme of the URL. Default: `http`.
    pub(super) scheme: Option<SchemeChoice>,
    /// `false`: with `https`, accept any certificate, such as a self-signed one. Default: `true`, which verifies it for
    /// `host` against the root certificates of the computer that runs ami-bake.
    pub(super) tls_verify: Option<bool>,
    /// The host as seen from the machine. Default: `127.0.0.1`.
    pub(super) host: Option<String>,
    /// The port. Default: `80`, or `443` with `https`.
    #[schemars(range(min = 1))]
    pub(super) port: Option<u16>,
    /// The path. Default: `/`.
    #[schemars(regex(pattern = "^/"), title = "absolute path", extend("examples" = ["/", "/health"]))]
    pub(super) path: Option<String>,
    /// The expected status code. Default: any from 200 to 399.
    #[schemars(range(min = 100, max = 599))]
    pub(super) status: Option<u16>,
    /// Text that the body must contain.
    pub(super) body: Option<String>,
    /// Response headers, each with text that its value must contain.
    #[serde(default)]
    pub(super) headers: Ordered<String>,
}

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SchemeChoice {
    /// Unencrypted.
    Http,
    /// Over TLS.
    Https,
}

/// A TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PortExpectation {
    /// The port.
    #[schemars(range(min = 1))]
    pub(super) port: u16,
    /// The host as seen from the machine. Default: `127.0.0.1`.
    pub(super) host: Option<String>,
    /// `false`: nothing may listen on it. Default: `true`.
    pub(super) open: Option<bool>,
}

impl Shorthand for PortExpectation {
    const KEY: &'static str = "port";
}

/// A service of the machine's init system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServiceExpectation {
    /// The name of the unit.
    pub(super) name: String,
    /// `false`: the service must not run. Default: `true`.
    pub(super) running: Option<bool>,
    /// Whether the service starts at boot. Default: not checked.
    pub(super) enabled: Option<bool>,
}

impl Shorthand for ServiceExpectation {
    const KEY: &'static str = "name";
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PackageExpectation {
    /// The name of the package.
    pub(super) name: String,
    /// The prefix that the installed version must have.
    pub(super) version: Option<String>,
    /// `false`: the package must not be installed. Default: `true`.
    pub(super) installed: Option<bool>,
}

impl Shorthand for PackageExpectation {
    const KEY: &'static str = "name";
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FileExpectation {
    /// The path.
    pub(super) path: String,
    /// `false`: it must not exist. Default: `true`.
    pub(super) exists: Option<bool>,
    /// Text that the file must contain.
    pub(super) contains: Option<String>,
    /// The permission bits.
    pub(super) mode: Option<Mode>,
    /// `user` or `user:group`.
    pub(super) owner: Option<String>,
    /// The SHA-256 checksum of the content, in hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"), title = "SHA-256 checksum")]
    pub(super) sha256: Option<String>,
}

impl Shorthand for FileExpectation {
    const KEY: &'static str = "path";
}

/// A user account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct UserExpectation {
    /// The login name.
    pub(super) name: String,
    /// `false`: it must not exist. Default: `true`.
    pub(super) exists: Option<bool>,
    /// Groups that the user must be a member of.
    #[serde(default)]
    pub(super) groups: OneOrMany<String>,
    /// The login shell.
    pub(super) shell: Option<String>,
    /// The home directory.
    pub(super) home: Option<String>,
}

impl Shorthand for UserExpectation {
    const KEY: &'static str = "name";
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CommandExpectation {
    /// The script, executed like a `run` step.
    pub(super) run: String,
    /// The expected exit status. Default: `0`.
    #[schemars(range(min = 0, max = 255))]
    pub(super) status: Option<i32>,
    /// Text that standard output must contain.
    pub(super) stdout: Option<String>,
    /// Text that standard error must contain.
    pub(super) stderr: Option<String>,
}

impl Shorthand for CommandExpectation {
    const KEY: &'static str = "run";
}
