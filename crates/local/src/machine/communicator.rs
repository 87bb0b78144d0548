//! Runs commands, moves files and opens connections inside a sandbox.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::{OutputSink, pump};
use ami_bake_core::relay::{self, Refusal};
use ami_bake_core::{Error, Result};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::state::SandboxState;
use crate::sandbox::{Action, CONNECTED, Network, Task, TaskOutcome, from_stderr, from_text};
use crate::store::store_error;

/// Bytes reserved for an outcome, so that even a command that fills the disk has one. JSON may be followed by white
/// space.
const ROOM: usize = 4096;

/// Extra time for the sandbox to enforce the time limit of a command itself.
const GRACE: Duration = Duration::from_secs(15);

/// The communicator of a sandbox; it survives reboots.
pub(super) struct SandboxCommunicator {
    pub(super) sandbox: Arc<SandboxState>,
}

impl SandboxCommunicator {
    /// The command for an action, and the file of its outcome; `None` while the machine isn't running.
    fn prepare(&self, action: Action) -> Result<Option<(Command, PathBuf)>> {
        let Some(address) = self.sandbox.address() else { return Ok(None) };
        let number = self.sandbox.tasks.fetch_add(1, Ordering::Relaxed);
        let outcome = self.sandbox.folder.path().join(format!("task-{number}.json"));
        std::fs::write(&outcome, [b' '; ROOM]).map_err(|error| store_error("write", &outcome, error))?;
        let task = Task {
            address,
            no_network: self.sandbox.spec.network == Network::None,
            user_namespace: !rustix::process::geteuid().is_root(),
            outcome: outcome.clone(),
            action,
        };
        let mut command = self.sandbox.helper.enter(&task)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(Some((command, outcome)))
    }

    fn prepare_running(&self, action: Action) -> Result<(Command, PathBuf)> {
        let ended = || Error::build(format!("could not enter sandbox {}: it has ended", self.sandbox.id));
        self.prepare(action)?.ok_or_else(ended)
    }

    /// Runs an action without streams.
    pub(super) async fn act(&self, action: Action) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(action)?;
        let child = command.spawn().map_err(|error| broken(&error))?;
        self.finish(child, outcome).await
    }

    /// Waits for the end of a transfer.
    async fn finish(&self, child: Child, outcome: PathBuf) -> Result<()> {
        let output = child.wait_with_output().await.map_err(|error| broken(&error))?;
        match read_outcome(&outcome) {
            Some(TaskOutcome::Done) => Ok(()),
            Some(TaskOutcome::Failed(why)) => Err(from_text(&why)),
            Some(_) => Err(Error::internal("a transfer ended as a command does")),
            None if output.stderr.is_empty() => {
                Err(Error::build(format!("could not enter sandbox {}: it ended meanwhile", self.sandbox.id)))
            }
            None => Err(from_stderr(&output.stderr)),
        }
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::build("could not enter the sandbox").because(std::io::Error::new(error.kind(), error.to_string()))
}

/// The outcome that the process wrote; `None` when it was killed before.
fn read_outcome(path: &PathBuf) -> Option<TaskOutcome> {
    let outcome = serde_json::from_slice(&std::fs::read(path).ok()?).ok();
    // A file that is left is removed with the machine's folder.
    let _ = std::fs::remove_file(path);
    outcome
}

#[async_trait]
impl Communicator for SandboxCommunicator {
    async fn exec(&self, mut exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        let limit = exec.timeout.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let action = Action::Exec { command: exec.command.to_owned(), timeout: limit };
        let Some((mut command, path)) = self.prepare(action)? else {
            return Ok(Exit::Lost(format!("sandbox {} has ended", self.sandbox.id)));
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        let pumped = feed_and_pump(&mut child, &mut exec.stdin, output);
        match exec.timeout {
            Some(limit) => match tokio::time::timeout(limit + GRACE, pumped).await {
                Ok(pumped) => pumped.map_err(|error| broken(&error))?,
                Err(_) => return Ok(Exit::TimedOut(limit)),
            },
            None => pumped.await.map_err(|error| broken(&error))?,
        }
        match read_outcome(&path) {
            Some(TaskOutcome::Status(status)) => Ok(Exit::Status(status)),
            Some(TaskOutcome::Signal(number)) => Ok(Exit::Signal(signal_name(number))),
            Some(TaskOutcome::TimedOut) => Ok(Exit::TimedOut(exec.timeout.unwrap_or_default())),
            Some(TaskOutcome::Failed(why)) => Err(from_text(&why)),
            Some(TaskOutcome::Done) => Err(Error::internal("a command ended as a transfer does")),
            None => Ok(Exit::Lost(format!("sandbox {} ended while the command ran", self.sandbox.id))),
        }
    }

    async fn put(&self, mut archive: Reader<'_>, to: &str) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(Action::Put { to: to.into() })?;
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        if let Some(mut pipe) = child.stdin.take()
            && let Err(error) = tokio::io::copy(&mut archive, &mut pipe).await
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(Error::build(format!("could not upload files to {to}")).because(error));
        }
        // If the pipe broke, the other end reports why.
        self.finish(child, outcome).await
    }

    async fn get(&self, from: &str, mut archive: Writer<'_>) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(Action::Get { from: from.into() })?;
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        if let Some(mut pipe) = child.stdout.take() {
            let failed = |error| Error::build(format!("could not download {from}")).because(error);
            tokio::io::copy(&mut pipe, &mut archive).await.map_err(failed)?;
            archive.shutdown().await.map_err(failed)?;
        }
        self.finish(child, outcome).await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        let failed = |error| {
            DialError::of_io(error, format!("could not connect to {host}:{port} in sandbox {}", self.sandbox.id))
        };
        if self.sandbox.spec.network == Network::Host && self.sandbox.address().is_some() {
            return Ok(Box::new(tokio::net::TcpStream::connect((host, port)).await.map_err(failed)?));
        }
        let (mut command, _) = self.prepare_running(Action::Dial { host: host.to_owned(), port })?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::internal("a pipe of a sandbox process is missing").into());
        };
        if from.read_u8().await.ok() != Some(CONNECTED) {
            let output = child.wait_with_output().await.map_err(|error| broken(&error))?;
            let error = from_stderr(&output.stderr);
            let closed = relay::refusal(error.message()) == Refusal::Closed;
            return Err(if closed { DialError::Closed(error) } else { DialError::Untried(error) });
        }
        Ok(Box::new(DialedStream { from, to: Some(to), _child: child }))
    }
}

/// Feeds a command and passes its output on until it ends.
async fn feed_and_pump(child: &mut Child, stdin: &mut Reader<'_>, output: &mut dyn OutputSink) -> std::io::Result<()> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut to), Some(stdout), Some(stderr)) = pipes else {
        return Err(std::io::ErrorKind::NotConnected.into());
    };
    let feed = async move {
        // A command may close its input before it has read everything.
        let _ = tokio::io::copy(stdin, &mut to).await;
        drop(to);
        std::future::pending().await
    };
    let ended = async {
        tokio::select! {
            status = child.wait() => status.map(drop),
            ended = feed => ended,
        }
    };
    pump(stdout, stderr, ended, output).await
}

/// A connection through a process in the sandbox's network.
struct DialedStream {
    from: ChildStdout,
    to: Option<ChildStdin>,
    /// The process, which is killed when the connection is dropped.
    _child: Child,
}

impl AsyncRead for DialedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.from).poll_read(cx, buf)
    }
}

impl AsyncWrite for DialedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match &mut self.to {
            Some(to) => Pin::new(to).poll_write(cx, bytes),
            None => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.to.as_mut().map_or(Poll::Ready(Ok(())), |to| Pin::new(to).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // The other end waits for the pipe to be closed, which a pipe's own shutdown does not do.
        self.to = None;
        Poll::Ready(Ok(()))
    }
}

/// A signal's name without `SIG` (signal(7); the same numbers on x86-64 and arm64).
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        10 => "USR1",
        11 => "SEGV",
        12 => "USR2",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        other => return other.to_string(),
    };
    name.to_owned()
}
