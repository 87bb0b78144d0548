//! TCP connections from inside a container.
//!
//! As root on the daemon's machine, a thread of this process enters the container's network namespace and connects: the
//! image needs no tools. Otherwise (the daemon is on another host, its socket is mounted into a container, or the user
//! is only a member of the group `docker`) a small relay runs in the container, in Python, Perl or bash, whichever the
//! image has.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};

use ami_bake_core::communicator::{DialError, Duplex};
use ami_bake_core::relay::{self, CONNECT_LIMIT, CONNECTED, Refusal, RelayErrors};
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::container::LogOutput;
use bollard::query_parameters::InspectContainerOptions;
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::exec::start;
use super::state::ContainerState;
use crate::engine::{failed, message};

/// Opens a TCP connection to `host:port` as seen from the container.
pub(super) async fn dial(container: &ContainerState, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
    let what = || format!("connect to {host}:{port} in container {}", container.name);
    let inspected = container
        .docker
        .inspect_container(&container.name, None::<InspectContainerOptions>)
        .await
        .map_err(|error| failed(ErrorKind::Build, what(), &error))?;
    let pid = inspected.state.and_then(|state| state.pid).filter(|pid| *pid > 0);
    if let (Some(pid), Some(id)) = (pid, inspected.id)
        && let Some(network) = network_of(pid, &id)
    {
        let stream = connect_inside(network, host, port)
            .await
            .map_err(|error| DialError::of_io(error, format!("could not {}", what())))?;
        return Ok(Box::new(stream));
    }
    through_relay(container, host, port).await.map_err(|why| {
        let failure = Error::build(format!("could not {}: {why}", what()));
        match relay::refusal(&why) {
            Refusal::Closed => DialError::Closed(failure),
            Refusal::NoTools => DialError::Untried(failure.help(
                "Install one of them in the image, or run the bake as root on the daemon's own machine, where the image \
                 needs none of them.",
            )),
            Refusal::Other => DialError::Untried(failure),
        }
    })
}

/// The network namespace of the process `pid`; `None` unless this process is root and `pid` is a process of this
/// machine in that container.
fn network_of(pid: i64, container: &str) -> Option<std::fs::File> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if !groups.contains(container) {
        return None;
    }
    std::fs::File::open(format!("/proc/{pid}/ns/net")).ok()
}

/// Connects in a thread that enters the container's network namespace and then ends.
async fn connect_inside(network: std::fs::File, host: &str, port: u16) -> io::Result<tokio::net::TcpStream> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let host = host.to_owned();
    std::thread::Builder::new().name("dial".to_owned()).spawn(move || {
        // Nobody is waiting any more when the receiver is gone.
        let _ = sender.send(connect(&network, &host, port));
    })?;
    let stream = receiver.await.map_err(|_| io::Error::other("the connecting thread ended early"))??;
    tokio::net::TcpStream::from_std(stream)
}

fn connect(network: &std::fs::File, host: &str, port: u16) -> io::Result<TcpStream> {
    enter(network)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Moves this thread into a network namespace.
#[cfg(target_os = "linux")]
fn enter(network: &std::fs::File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd as _;

    Ok(move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Not Linux: the daemon runs in a virtual machine, so no container process is on this computer.
#[cfg(not(target_os = "linux"))]
fn enter(_: &std::fs::File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Connects through a relay process in the container. The error is a clause, without subject.
async fn through_relay(container: &ContainerState, host: &str, port: u16) -> Result<Box<dyn Duplex>, String> {
    let port = port.to_string();
    let command = ["/bin/sh", "-c", relay::RELAY, "sh", host, &port].map(str::to_owned).to_vec();
    let attached = start(&container.docker, &container.name, command, None).await.map_err(|error| message(&error).0)?;
    let errors = std::sync::Arc::new(std::sync::Mutex::new(RelayErrors::default()));
    let collected = std::sync::Arc::clone(&errors);
    let output = attached.output.filter_map(move |chunk| {
        let chunk = match chunk {
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Some(Ok(message)),
            Ok(LogOutput::StdErr { message }) => {
                let mut collected = collected.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                collected.push(&message);
                None
            }
            Ok(LogOutput::StdIn { .. }) => None,
            Err(error) => Some(Err(io::Error::other(message(&error)))),
        };
        futures::future::ready(chunk)
    });
    let mut reader = StreamReader::new(Box::pin(output) as Output);
    let first = tokio::time::timeout(CONNECT_LIMIT * 2, reader.read_u8()).await;
    if !matches!(first, Ok(Ok(CONNECTED))) {
        return Err(errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).last());
    }
    Ok(Box::new(tokio::io::join(reader, attached.input)))
}

/// Standard output of the relay.
type Output = std::pin::Pin<Box<dyn futures::Stream<Item = io::Result<Bytes>> + Send>>;
