//! The daemon's address, from the environment variables that every Docker client reads (`docker` CLI reference,
//! "Environment variables").

use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};

/// Where a daemon listens by default.
const SOCKET: &str = "/var/run/docker.sock";
/// The ports of a daemon without and with TLS (dockerd(8)).
const PORTS: [u16; 2] = [2375, 2376];

/// How to reach the daemon, and where credentials for registries are.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_TLS_VERIFY`: use TLS and verify the daemon's certificate.
    pub tls: bool,
    /// `DOCKER_CERT_PATH`: the folder of `ca.pem`, `cert.pem` and `key.pem`.
    pub certificates: Option<PathBuf>,
    /// `DOCKER_CONFIG`, else `~/.docker`: the folder of `config.json`.
    pub config: Option<PathBuf>,
    /// `DOCKER_AUTH_CONFIG`: the content of a `config.json`.
    pub auth: Option<String>,
    /// `XDG_RUNTIME_DIR`: where a rootless daemon listens.
    pub runtime: Option<PathBuf>,
}

impl Settings {
    /// The settings of this process's environment.
    pub fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        Self {
            host: text("DOCKER_HOST"),
            tls: text("DOCKER_TLS_VERIFY").is_some(),
            certificates: path("DOCKER_CERT_PATH"),
            config: path("DOCKER_CONFIG").or_else(|| Some(path("HOME")?.join(".docker"))),
            auth: text("DOCKER_AUTH_CONFIG"),
            runtime: path("XDG_RUNTIME_DIR"),
        }
    }

    /// The daemon's address.
    ///
    /// # Errors
    /// When `DOCKER_HOST` is invalid or its scheme is not supported.
    pub(crate) fn address(&self) -> Result<Address> {
        let Some(host) = &self.host else { return Ok(Address::Socket(self.default_socket())) };
        let refuse = |why: &str| {
            Err(Error::preflight(format!("could not use DOCKER_HOST={host}: {why}")).help(
                "Set it to unix:///path/to/docker.sock or tcp://host:port, or unset it for the daemon on this machine.",
            ))
        };
        match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Address::Socket(path.into())),
            Some(("unix", _)) => refuse("the path of the socket must be absolute"),
            Some(("tcp" | "http" | "https", rest)) => {
                let rest = rest.trim_end_matches('/');
                let port = PORTS[usize::from(self.tls)];
                let authority = if has_port(rest) { rest.to_owned() } else { format!("{rest}:{port}") };
                if rest.is_empty() || rest.contains('/') || has_port(rest) && !port_is_valid(rest) {
                    return refuse("the host or port is missing or invalid");
                }
                Ok(if self.tls { Address::Tls(authority, self.certificate_folder()) } else { Address::Tcp(authority) })
            }
            Some(("ssh", _)) => {
                refuse("connections over SSH are not supported; forward the daemon's socket with `ssh -L` instead")
            }
            Some((scheme, _)) => refuse(&format!("unsupported scheme `{scheme}://`")),
            None => refuse("the scheme is missing"),
        }
    }

    fn default_socket(&self) -> PathBuf {
        let common = PathBuf::from(SOCKET);
        let own = self.runtime.as_ref().map(|folder| folder.join("docker.sock"));
        own.filter(|own| !common.exists() && own.exists()).unwrap_or(common)
    }

    fn certificate_folder(&self) -> PathBuf {
        self.certificates.clone().or_else(|| self.config.clone()).unwrap_or_else(|| Path::new(".docker").to_owned())
    }
}

/// A port follows the last colon; colons inside the brackets of an IPv6 address do not count.
fn has_port(authority: &str) -> bool {
    authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

fn port_is_valid(authority: &str) -> bool {
    authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok())
}

/// The address of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A Unix socket on this machine.
    Socket(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
    /// Host and port, and the folder of the certificates.
    Tls(String, PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) | Self::Tls(authority, _) => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, tls: bool) -> Result<Address> {
        let certificates = Some("/certs".into());
        Settings { host: Some(host.to_owned()), tls, certificates, ..Settings::default() }.address()
    }

    #[test]
    fn hosts_are_read_as_dockers_own_client_does() {
        assert_eq!(address("unix:///a.sock", false).unwrap(), Address::Socket("/a.sock".into()));
        assert_eq!(address("tcp://engine:99", false).unwrap(), Address::Tcp("engine:99".into()));
        assert_eq!(address("tcp://engine", false).unwrap(), Address::Tcp("engine:2375".into()));
        assert_eq!(address("tcp://engine", true).unwrap(), Address::Tls("engine:2376".into(), "/certs".into()));
        assert_eq!(address("tcp://[::1]", false).unwrap(), Address::Tcp("[::1]:2375".into()));
    }

    #[test]
    fn an_invalid_address_is_refused_with_help() {
        for (host, why) in [
            ("engine:2375", "scheme is missing"),
            ("ssh://root@engine", "SSH"),
            ("npipe:////./pipe/docker", "unsupported scheme"),
            ("tcp://", "host or port"),
            ("tcp://engine:x", "host or port"),
            ("unix://docker.sock", "absolute"),
        ] {
            let error = address(host, false).unwrap_err();
            assert!(error.message().contains(why), "{host}: {error}");
            assert!(error.help_text().is_some() && error.kind().exit_code() == 4);
        }
    }
}
