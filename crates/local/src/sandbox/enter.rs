//! Enters a sandbox from outside. Only the children of a process enter a PID namespace, so this process joins the
//! namespaces and runs [`within`](super::within). That process loads this program and its libraries before it enters
//! the sandbox's root, so nothing has to be installed there.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode};

use ami_bake_core::{Error, Result};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use tokio::net::unix::pipe;

use super::arguments::{COMMAND, WITHIN};
use super::failure::Context;
use super::task::{Action, Address, CONNECTED, Task};

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let doing = || "enter the sandbox".to_owned();
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let task: Task = serde_json::from_str(text).map_err(|error| Error::build(doing()).because(error))?;
    join(task.address)?;
    if let Action::Dial { host, port } = &task.action {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.context(doing)?.block_on(dial(host, *port));
    }
    let status = Command::new("/proc/self/exe").args([COMMAND, WITHIN, text]).env_clear().status().context(doing)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Joins every namespace of the sandbox, except the mount namespace and those that this process is already in.
fn join(address: Address) -> Result<()> {
    let doing = || "enter the sandbox: it has ended".to_owned();
    let pid = i32::try_from(address.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Error::build(doing()))?;
    let process: OwnedFd = pidfd_open(pid, PidfdFlags::empty()).context(doing)?;
    if Address::of(address.pid).context(doing)? != address {
        return Err(Error::build(doing()));
    }
    let mut kinds = ThreadNameSpaceType::empty();
    for (name, kind) in [
        ("user", ThreadNameSpaceType::USER),
        ("pid", ThreadNameSpaceType::PROCESS_ID),
        ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
        ("ipc", ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        ("net", ThreadNameSpaceType::NETWORK),
    ] {
        let link = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/{name}"));
        // The kernel refuses to join the process's own user or network namespace.
        if link(&address.pid.to_string()).context(doing)? != link("self").context(doing)? {
            kinds |= kind;
        }
    }
    move_into_thread_name_spaces(process.as_fd(), kinds).context(|| "enter the sandbox's namespaces".to_owned())
}

/// Copies bytes between the standard streams and a port.
#[expect(clippy::disallowed_methods, reason = "its reader is this program")]
async fn dial(host: &str, port: u16) -> Result<ExitCode> {
    let doing = || format!("connect to {host}:{port} in the sandbox");
    let stream = tokio::net::TcpStream::connect((host, port)).await.context(doing)?;
    std::io::stdout().write_all(&[CONNECTED]).and_then(|()| std::io::stdout().flush()).context(doing)?;
    let input = std::io::stdin().as_fd().try_clone_to_owned().and_then(pipe::Receiver::from_owned_fd);
    let output = std::io::stdout().as_fd().try_clone_to_owned().and_then(pipe::Sender::from_owned_fd);
    let (mut input, mut output) = (input.context(doing)?, output.context(doing)?);
    let (mut from_port, mut to_port) = stream.into_split();
    let forth = async {
        let _ = tokio::io::copy(&mut input, &mut to_port).await;
        // Dropping this half tells the other side that no more data follows.
        drop(to_port);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = forth => {}
        _ = tokio::io::copy(&mut from_port, &mut output) => {}
    }
    Ok(ExitCode::SUCCESS)
}
