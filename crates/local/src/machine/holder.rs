//! The process that holds a sandbox, seen from the process that wants it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::Helper;
use crate::sandbox::{Address, said};

/// No sandbox takes so long to stand or to fall, however loaded the machine is.
const LIMIT: Duration = Duration::from_mins(1);

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct Holder {
    child: Child,
    address: Address,
    /// Its first process.
    init: OwnedFd,
    /// What the holder says: when the sandbox stands, and when it has fallen.
    says: BufReader<ChildStdout>,
    /// The sandbox ends when this end of the pipe is closed: with this process, however that ends.
    _lifeline: Option<ChildStdin>,
}

impl Holder {
    /// Starts the sandbox of a description and waits until it stands.
    pub(crate) async fn start(helper: &Helper, spec: &Path) -> Result<Self> {
        let doing = |error: std::io::Error| Error::build("start a sandbox").because(error);
        let mut child = helper
            .hold(spec)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(doing)?;
        let lifeline = child.stdin.take();
        let mut line = String::new();
        let mut says = BufReader::new(child.stdout.take().ok_or_else(|| doing(std::io::ErrorKind::BrokenPipe.into()))?);
        let read = tokio::time::timeout(LIMIT, says.read_line(&mut line)).await;
        read.map_err(|_| Error::build(format!("start a sandbox within {} s", LIMIT.as_secs())))?.map_err(doing)?;
        let Ok(pid) = line.trim().parse::<u32>() else {
            let mut text = Vec::new();
            if let Some(stderr) = &mut child.stderr {
                stderr.read_to_end(&mut text).await.map_err(doing)?;
            }
            return Err(said(&text));
        };
        let address = Address::of(pid).map_err(doing)?;
        let init = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
        let init = init.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())).map_err(|error| doing(error.into()))?;
        Ok(Self { child, address, init, says, _lifeline: lifeline })
    }

    /// Where to enter it.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Ends every process of the sandbox and waits until they are gone. Its mounts, which nobody sees, go a little
    /// later.
    pub(crate) async fn end(self) -> Result<()> {
        drop(self.end_processes().await?);
        Ok(())
    }

    /// The same, and waits for the mounts too, so that another sandbox can have the same folder.
    pub(crate) async fn end_with_mounts(self) -> Result<()> {
        let doing = |error: std::io::Error| Error::build("end a sandbox").because(error);
        let waiting = self.end_processes().await?;
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(ended) => ended.map_err(|error| doing(error.into()))?.map_err(doing),
            Err(_) => Err(too_slow()),
        }
    }

    /// The answer ends with the process that holds the mounts.
    async fn end_processes(mut self) -> Result<JoinHandle<std::io::Result<()>>> {
        let doing = |error: std::io::Error| Error::build("end a sandbox").because(error);
        match pidfd_send_signal(&self.init, Signal::KILL) {
            // It has ended by itself: its lifetime was over, or somebody killed it.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(doing(error.into())),
        }
        // The PID namespace's first process is dead only after all others are (pid_namespaces(7)); the holder says so.
        let mut line = String::new();
        match tokio::time::timeout(LIMIT, self.says.read_line(&mut line)).await {
            Ok(said) => drop(said.map_err(doing)?),
            Err(_) => return Err(too_slow()),
        }
        Ok(tokio::spawn(async move { self.child.wait().await.map(drop) }))
    }
}

fn too_slow() -> Error {
    Error::build(format!("end a sandbox within {} s", LIMIT.as_secs()))
}
