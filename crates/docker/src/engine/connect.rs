//! Connects to the daemon; errors say what is missing.

use std::path::Path;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::address::{Address, Settings};
use super::error::{EngineMessage, failed};
use super::socket::{HOST, transport};
use super::tls;

/// Time limit for the daemon's first answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Time limit for one API call, in seconds: the commit of a large container answers only when everything is written.
const CALL_LIMIT: u64 = 3600;

/// A connection to a daemon that answers, with an API version that both sides support.
///
/// # Errors
/// When no daemon answers; the error says why and what to do.
pub(crate) async fn connect(settings: &Settings) -> Result<Docker> {
    let address = settings.address()?;
    reachable(&address).await?;
    if let Address::Tls(_, folder) = &address {
        certificates_exist(folder)?;
    }
    let connected = async {
        match &address {
            Address::Socket(path) => {
                Docker::connect_with_custom_transport(transport(path), Some(HOST), CALL_LIMIT, API_DEFAULT_VERSION)
            }
            Address::Tcp(host) => Docker::connect_with_http(&format!("tcp://{host}"), CALL_LIMIT, API_DEFAULT_VERSION),
            Address::Tls(host, folder) => {
                let [key, certificate, authority] = tls::files(folder);
                let host = format!("tcp://{host}");
                Docker::connect_with_ssl(&host, &key, &certificate, &authority, CALL_LIMIT, API_DEFAULT_VERSION)
            }
        }?
        .negotiate_version()
        .await
    };
    match tokio::time::timeout(CONNECT_LIMIT, connected).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(refused(&address, &error).await),
        Err(_) => Err(silent(&address)),
    }
}

async fn refused(address: &Address, error: &bollard::errors::Error) -> Error {
    let what = format!("connect to the Docker daemon at {address}");
    let Address::Tls(host, folder) = address else {
        return failed(ErrorKind::Preflight, what, error).help(
            "Something is listening there, but it did not answer like a Docker daemon. If the daemon requires TLS, set \
             DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH.",
        );
    };
    match tls::refusal(host, folder).await {
        Some(reason) => Error::preflight(format!("could not {what}")).because(EngineMessage(reason)),
        None => failed(ErrorKind::Preflight, what, error),
    }
    .help(format!(
        "Check that the daemon uses TLS and that its certificate and the one in {} are signed by the ca.pem there and not \
         expired. DOCKER_CERT_PATH sets another folder.",
        folder.display()
    ))
}

fn certificates_exist(folder: &Path) -> Result<()> {
    match tls::files(folder).iter().find(|path| !path.is_file()) {
        None => Ok(()),
        Some(missing) => Err(Error::preflight(format!(
            "could not connect to the Docker daemon over TLS: {} is missing",
            missing.display()
        ))
        .help(
            "Set DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem, or unset DOCKER_TLS_VERIFY.",
        )),
    }
}

/// Checks that something is listening: errors of the operating system are more precise than those of an HTTP client.
async fn reachable(address: &Address) -> Result<()> {
    let tried = async {
        match address {
            Address::Socket(path) => tokio::net::UnixStream::connect(path).await.map(drop),
            Address::Tcp(host) | Address::Tls(host, _) => tokio::net::TcpStream::connect(host).await.map(drop),
        }
    };
    match tokio::time::timeout(CONNECT_LIMIT, tried).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(unreachable(address, error)),
        Err(_) => Err(silent(address)),
    }
}

fn silent(address: &Address) -> Error {
    Error::preflight(format!("could not connect to the Docker daemon at {address}: no answer within {}", human(CONNECT_LIMIT)))
        .help("Check that the daemon is not overloaded and that no firewall is in the way; `docker version` connects the same way.")
}

fn unreachable(address: &Address, error: std::io::Error) -> Error {
    let socket = matches!(address, Address::Socket(_));
    let (why, help) = match error.kind() {
        std::io::ErrorKind::NotFound if socket => (
            "the socket does not exist",
            "Install and start Docker (Debian and Ubuntu: `sudo apt-get install docker.io`). If the daemon listens \
             elsewhere, set DOCKER_HOST; in a container, mount the daemon's socket.",
        ),
        std::io::ErrorKind::PermissionDenied => (
            "permission denied",
            "Use sudo, or add yourself to the group `docker` with `sudo usermod -aG docker $USER` and log in again. \
             Members of that group have the same rights as root.",
        ),
        std::io::ErrorKind::ConnectionRefused if socket => (
            "the daemon is not running",
            "Start it with `sudo systemctl start docker`; `journalctl -u docker` shows why it stopped.",
        ),
        std::io::ErrorKind::ConnectionRefused => (
            "connection refused",
            "Check that DOCKER_HOST has the right host and port and that the daemon listens there (`dockerd -H`).",
        ),
        _ => ("the connection failed", "Check DOCKER_HOST; `docker version` connects the same way."),
    };
    Error::preflight(format!("could not connect to the Docker daemon at {address}: {why}")).help(help).because(error)
}
