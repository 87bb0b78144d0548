//! Entering a sandbox from outside. Only children of a process enter a PID namespace, so this part joins the namespaces
//! and runs [`within`](super::within), which has our binary and its libraries loaded already when it takes the
//! sandbox's root: nothing has to be installed there.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use ami_bake_core::{Error, Result};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe;

use super::entry::{Context, VERB, WITHIN};

/// What is to be done in which sandbox, as the one argument of the hidden command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The sandbox.
    pub(crate) address: Address,
    /// True when it has no network.
    pub(crate) no_network: bool,
    /// True when it has a user namespace of its own.
    pub(crate) user_namespace: bool,
    /// Where the [`Outcome`](super::within::Outcome) is written. A file that stays empty means that the sandbox died.
    pub(crate) outcome: PathBuf,
    /// What to do.
    pub(crate) action: Action,
}

/// A sandbox's init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Its process id.
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since the host's boot: tells it from a later process of the same id.
    pub(crate) started: u64,
}

/// What is done inside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Runs a shell command; it and all that it started are killed after this many milliseconds.
    Exec { command: String, timeout: Option<u64> },
    /// Unpacks standard input, a tar stream, below a folder.
    Put { to: PathBuf },
    /// Packs a path as a tar stream to standard output.
    Get { from: PathBuf },
    /// Asks every process to end and waits so many milliseconds.
    Stop { patience: u64 },
    /// Connects standard input and output with a TCP port as seen inside; [`CONNECTED`] comes first.
    Dial { host: String, port: u16 },
}

/// The byte before a dialled connection's own.
pub(crate) const CONNECTED: u8 = 6;

impl Address {
    /// The process as it is now.
    pub(crate) fn of(pid: u32) -> std::io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Field 22 (proc_pid_stat(5)), counted behind the name, which may hold spaces and parentheses.
        let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
        started.map(|started| Self { pid, started }).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let doing = || "enter the sandbox".to_owned();
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let task: Task = serde_json::from_str(text).map_err(|error| Error::build(doing()).because(error))?;
    join(task.address)?;
    if let Action::Dial { host, port } = &task.action {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.context(doing)?.block_on(dial(host, *port));
    }
    let status = Command::new("/proc/self/exe").args([VERB, WITHIN, text]).env_clear().status().context(doing)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Joins every namespace of the sandbox that is not this process's already, but for the mounts.
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
        // Joining one's own user or network namespace again is refused.
        if link(&address.pid.to_string()).context(doing)? != link("self").context(doing)? {
            kinds |= kind;
        }
    }
    move_into_thread_name_spaces(process.as_fd(), kinds).context(|| "enter the sandbox's namespaces".to_owned())
}

/// Carries bytes between the standard streams and a port.
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
        // Dropping this half tells the other side that nothing more comes.
        drop(to_port);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = forth => {}
        _ = tokio::io::copy(&mut from_port, &mut output) => {}
    }
    Ok(ExitCode::SUCCESS)
}
