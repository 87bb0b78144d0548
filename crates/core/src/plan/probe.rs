//! Assertions of `expect` steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An assertion of an `expect` step, retried until it holds or its time limit is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The assertion.
    pub probe: Probe,
}

/// An assertion about a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// An HTTP answer, requested through the machine's connection.
    Http(HttpProbe),
    /// A TCP port that listens, or does not listen (`open: false`).
    Port {
        /// Host as seen from the machine. Default: `127.0.0.1`.
        host: Option<String>,
        /// The port.
        port: u16,
        /// True if the port must listen.
        open: bool,
    },
    /// A service of the machine's init.
    Service {
        /// Unit name.
        name: String,
        /// True if the service must run.
        running: bool,
        /// Whether the service must start at boot. Default: either is accepted.
        enabled: Option<bool>,
    },
    /// An installed package.
    Package {
        /// Package name.
        name: String,
        /// Text that the version must begin with.
        version: Option<String>,
        /// True if the package must be installed.
        installed: bool,
    },
    /// A file or folder.
    File {
        /// Path.
        path: String,
        /// True if the path must exist.
        exists: bool,
        /// Text that the file must contain.
        contains: Option<String>,
        /// Permission bits.
        mode: Option<u32>,
        /// Owner of the file, `user` or `user:group`.
        owner: Option<String>,
        /// SHA-256 of the content in hexadecimal.
        sha256: Option<String>,
    },
    /// A user account.
    User {
        /// Login name.
        name: String,
        /// True if the account must exist.
        exists: bool,
        /// Groups that the account must be in.
        groups: Vec<String>,
        /// Login shell.
        shell: Option<String>,
        /// Home folder.
        home: Option<String>,
    },
    /// The result of a command.
    Command {
        /// Script, run as in a `run` step.
        run: String,
        /// Expected exit status.
        status: i32,
        /// Text that standard output must contain.
        stdout: Option<String>,
        /// Text that standard error must contain.
        stderr: Option<String>,
    },
}

/// An HTTP request and its expected answer. `scheme` and `tls_verify` were added later: they are omitted from the
/// serialized form, which the digest hashes, while they have their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpProbe {
    /// Scheme of the URL.
    #[serde(default, skip_serializing_if = "Scheme::is_default")]
    pub scheme: Scheme,
    /// Whether the server's certificate is verified: against `host`, with the root certificates of the computer that
    /// runs ami-bake.
    #[serde(default = "verified", skip_serializing_if = "is_verified")]
    pub tls_verify: bool,
    /// Host as seen from the machine. Default: `127.0.0.1`.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
    /// Path, with a leading slash.
    pub path: String,
    /// Expected status. Default: any from 200 to 399.
    pub status: Option<u16>,
    /// Text that the body must contain.
    pub body: Option<String>,
    /// Headers that the answer must have, by lower-case name, with the text that the value must contain.
    pub headers: BTreeMap<String, String>,
}

/// The scheme of an HTTP probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of URLs that do not name one.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn verified() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_verified(verified: &bool) -> bool {
    *verified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_probe_is_serialised_as_before_https() {
        let mut probe = HttpProbe {
            scheme: Scheme::Http,
            tls_verify: true,
            host: None,
            port: 80,
            path: "/".to_owned(),
            status: None,
            body: None,
            headers: BTreeMap::new(),
        };
        let json = |probe: &HttpProbe| serde_json::to_string(&Probe::Http(probe.clone())).unwrap();
        assert_eq!(
            json(&probe),
            r#"{"http":{"host":null,"port":80,"path":"/","status":null,"body":null,"headers":{}}}"#
        );
        assert_eq!(serde_json::from_str::<Probe>(&json(&probe)).unwrap(), Probe::Http(probe.clone()));
        (probe.scheme, probe.tls_verify) = (Scheme::Https, false);
        assert!(json(&probe).starts_with(r#"{"http":{"scheme":"https","tls_verify":false,"host""#));
    }
}
