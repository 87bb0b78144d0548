//! Connects, and says what is missing where nothing answers.

use std::path::Path;
use std::time::Duration;

use ami_bake_core::{Error, ErrorKind, Result};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::address::{Address, Settings};
use super::error::failed;
use super::socket::{HOST, transport};

/// How long an engine may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// How long one call may take, in seconds: a commit of a large machine answers when all is written.
const LONGEST: u64 = 3600;

/// A connection to an engine that answers, in a version of its interface that both sides speak.
///
/// # Errors
/// Says why none answers and what to do.
pub(crate) async fn connect(settings: &Settings) -> Result<Docker> {
    let address = settings.address()?;
    reachable(&address).await?;
    let made = match &address {
        Address::Socket(path) => {
            Docker::connect_with_custom_transport(transport(path), Some(HOST), LONGEST, API_DEFAULT_VERSION)
        }
        Address::Tcp(host) => Docker::connect_with_http(&format!("tcp://{host}"), LONGEST, API_DEFAULT_VERSION),
        Address::Tls(host, folder) => {
            let [key, certificate, authority] = certificates(folder)?;
            let host = format!("tcp://{host}");
            Docker::connect_with_ssl(&host, &key, &certificate, &authority, LONGEST, API_DEFAULT_VERSION)
        }
    };
    let spoke = |error: &bollard::errors::Error| {
        failed(ErrorKind::Preflight, format!("speak with a Docker engine at {address}"), error).help(match &address {
            Address::Tls(_, folder) => format!(
                "Its certificate and that in {} have to be of the authority in ca.pem there, and neither out of date; \
                 DOCKER_CERT_PATH names another folder. Does the engine speak TLS at all?",
                folder.display()
            ),
            _ => {
                "Something answers there, but not as a Docker engine does. Where it wants TLS, set DOCKER_TLS_VERIFY=1 \
                  and DOCKER_CERT_PATH."
                    .to_owned()
            }
        })
    };
    let client = made.map_err(|error| spoke(&error))?;
    match tokio::time::timeout(HELLO, client.negotiate_version()).await {
        Ok(client) => client.map_err(|error| spoke(&error)),
        Err(_) => Err(silent(&address)),
    }
}

fn certificates(folder: &Path) -> Result<[std::path::PathBuf; 3]> {
    let files = ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
    match files.iter().find(|path| !path.is_file()) {
        None => Ok(files),
        Some(missing) => {
            Err(Error::preflight(format!("speak TLS with the Docker engine: there is no {}", missing.display())).help(
                "Set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem, or unset DOCKER_TLS_VERIFY.",
            ))
        }
    }
}

/// Whether anything listens: the operating system says more precisely why not than an HTTP client.
async fn reachable(address: &Address) -> Result<()> {
    let tried = async {
        match address {
            Address::Socket(path) => tokio::net::UnixStream::connect(path).await.map(drop),
            Address::Tcp(host) | Address::Tls(host, _) => tokio::net::TcpStream::connect(host).await.map(drop),
        }
    };
    match tokio::time::timeout(HELLO, tried).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refused(address, error)),
        Err(_) => Err(silent(address)),
    }
}

fn silent(address: &Address) -> Error {
    Error::preflight(format!("reach the Docker engine at {address}: it did not answer within {} s", HELLO.as_secs()))
        .help("Look whether the engine is busy or a firewall is in between; `docker version` asks the same.")
}

fn refused(address: &Address, error: std::io::Error) -> Error {
    let socket = matches!(address, Address::Socket(_));
    let (why, help) = match error.kind() {
        std::io::ErrorKind::NotFound if socket => (
            "there is no such socket",
            "Install and start an engine, on Debian and Ubuntu with `sudo apt-get install docker.io`; where it listens \
             elsewhere set DOCKER_HOST; in a container mount its socket.",
        ),
        std::io::ErrorKind::PermissionDenied => (
            "permission denied",
            "Use sudo, or become a member of the socket's group with `sudo usermod -aG docker $USER` and log in again. \
             Members of that group are as good as root.",
        ),
        std::io::ErrorKind::ConnectionRefused if socket => (
            "nobody listens on the socket",
            "Start the engine with `sudo systemctl start docker`; `journalctl -u docker` tells why it ended.",
        ),
        std::io::ErrorKind::ConnectionRefused => (
            "connection refused",
            "Look whether DOCKER_HOST names the right host and port, and whether the engine listens there (`dockerd -H`).",
        ),
        _ => ("it can't be reached", "Look at DOCKER_HOST; `docker version` asks the same."),
    };
    Error::preflight(format!("reach the Docker engine at {address}: {why}")).help(help).because(error)
}
