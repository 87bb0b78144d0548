//! The handle to the holder process of a sandbox in the process that started it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, Result};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use crate::sandbox::{Address, Helper, from_stderr};

/// Time limit for starting and ending a sandbox, far beyond what a loaded machine needs.
const LIMIT: Duration = Duration::from_mins(1);

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct Holder {
    child: Child,
    address: Address,
    /// The first process of the sandbox.
    init: OwnedFd,
    /// Output of the holder: a line when the sandbox is running, and one when it has ended.
    output: BufReader<ChildStdout>,
    /// The sandbox ends when this end of the pipe is closed, which also happens when this process ends.
    _lifeline: Option<ChildStdin>,
}

impl Holder {
    /// Starts the sandbox with this description and waits until it is running.
    pub(crate) async fn start(helper: &Helper, spec: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::build("could not start a sandbox").because(error);
        let mut child = helper
            .hold(spec)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let lifeline = child.stdin.take();
        let mut line = String::new();
        let mut output =
            BufReader::new(child.stdout.take().ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?);
        let read = tokio::time::timeout(LIMIT, output.read_line(&mut line)).await;
        read.map_err(|_| {
            Error::build(format!("could not start a sandbox: it was not running after {}", human(LIMIT)))
        })?
        .map_err(failed)?;
        let Ok(pid) = line.trim().parse::<u32>() else {
            let mut text = Vec::new();
            if let Some(stderr) = &mut child.stderr {
                stderr.read_to_end(&mut text).await.map_err(failed)?;
            }
            return Err(from_stderr(&text));
        };
        let address = Address::of(pid).map_err(failed)?;
        let init = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
        let init = init.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())).map_err(|error| failed(error.into()))?;
        Ok(Self { child, address, init, output, _lifeline: lifeline })
    }

    /// The init process of the sandbox.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Kills every process of the sandbox and waits for their end. Its private mounts are released a little later.
    pub(crate) async fn end(self) -> Result<()> {
        drop(self.end_processes().await?);
        Ok(())
    }

    /// Like [`end`](Self::end), but also waits until the mounts are released, so that another sandbox can use the
    /// folder.
    pub(crate) async fn end_with_mounts(self) -> Result<()> {
        let failed = |error: std::io::Error| Error::build("could not end a sandbox").because(error);
        let waiting = self.end_processes().await?;
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(ended) => ended.map_err(|error| failed(error.into()))?.map_err(failed),
            Err(_) => Err(too_slow()),
        }
    }

    /// Kills every process of the sandbox. The returned task waits for the process that holds the mounts.
    async fn end_processes(mut self) -> Result<JoinHandle<std::io::Result<()>>> {
        let failed = |error: std::io::Error| Error::build("could not end a sandbox").because(error);
        match pidfd_send_signal(&self.init, Signal::KILL) {
            // The sandbox has ended already: its lifetime was over, or somebody killed it.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(failed(error.into())),
        }
        // Init ends after all other processes of its PID namespace (pid_namespaces(7)); the holder then prints a line.
        let mut line = String::new();
        match tokio::time::timeout(LIMIT, self.output.read_line(&mut line)).await {
            Ok(read) => drop(read.map_err(failed)?),
            Err(_) => return Err(too_slow()),
        }
        Ok(tokio::spawn(async move { self.child.wait().await.map(drop) }))
    }
}

fn too_slow() -> Error {
    Error::build(format!("could not end a sandbox: it was still running after {}", human(LIMIT)))
}
