//! Commands, files and connections inside a sandbox.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::{Error, Result};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Shared;
use crate::platform::PLATFORM;
use crate::sandbox::{Action, CONNECTED, Network, Outcome, Task, from_text, said};

/// As much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// What a command wrote before it ended is in the pipe already. Whoever still holds the other end is a process that it
/// left, and nobody waits for that.
const DRAIN: Duration = Duration::from_millis(50);

/// A sandbox that doesn't keep a command's time limit itself is given so long over it.
const GRACE: Duration = Duration::from_secs(15);

/// The way into a machine; it survives reboots.
pub(crate) struct Inside {
    pub(crate) shared: Arc<Shared>,
}

impl Inside {
    /// The command that does it, and where its outcome will be; `None` while the machine doesn't run.
    fn prepare(&self, action: Action) -> Result<Option<(Command, PathBuf)>> {
        let Some(address) = self.shared.address() else { return Ok(None) };
        let number = self.shared.tasks.fetch_add(1, Ordering::Relaxed);
        let outcome = self.shared.folder.path().join(format!("task-{number}.json"));
        let task = Task {
            address,
            no_network: self.shared.spec.network == Network::None,
            user_namespace: !rustix::process::geteuid().is_root(),
            outcome: outcome.clone(),
            action,
        };
        let mut command = self.shared.helper.enter(&task)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(Some((command, outcome)))
    }

    fn prepare_running(&self, action: Action) -> Result<(Command, PathBuf)> {
        let gone = || Error::build(format!("reach sandbox {}: it has ended", self.shared.id));
        self.prepare(action)?.ok_or_else(gone)
    }

    /// Does something that has no streams.
    pub(super) async fn act(&self, action: Action) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(action)?;
        let child = command.spawn().map_err(|error| broken(&error))?;
        self.finish(child, outcome).await
    }

    /// Waits for a transfer's end.
    async fn finish(&self, child: Child, outcome: PathBuf) -> Result<()> {
        let output = child.wait_with_output().await.map_err(|error| broken(&error))?;
        match read_outcome(&outcome) {
            Some(Outcome::Done) => Ok(()),
            Some(Outcome::Failed(why)) => Err(from_text(&why)),
            Some(_) => Err(Error::internal("a transfer ended as a command does")),
            None if output.stderr.is_empty() => {
                Err(Error::build(format!("reach sandbox {}: it ended meanwhile", self.shared.id)))
            }
            None => Err(said(&output.stderr)),
        }
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::build("enter the sandbox").because(std::io::Error::new(error.kind(), error.to_string()))
}

/// What the inside said at its end; `None` when it was killed before it could.
fn read_outcome(path: &PathBuf) -> Option<Outcome> {
    let outcome = serde_json::from_slice(&std::fs::read(path).ok()?).ok();
    // The machine's folder goes as a whole; a file that stays is no harm.
    let _ = std::fs::remove_file(path);
    outcome
}

#[async_trait]
impl Communicator for Inside {
    async fn exec(&self, mut exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        let limit = exec.timeout.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let action = Action::Exec { command: exec.command.to_owned(), timeout: limit };
        let Some((mut command, path)) = self.prepare(action)? else {
            return Ok(Exit::Lost(format!("sandbox {} has ended", self.shared.id)));
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        let pump = pump(&mut child, &mut exec.stdin, output);
        match exec.timeout {
            Some(limit) => match tokio::time::timeout(limit + GRACE, pump).await {
                Ok(pumped) => pumped.map_err(|error| broken(&error))?,
                Err(_) => return Ok(Exit::TimedOut(limit)),
            },
            None => pump.await.map_err(|error| broken(&error))?,
        }
        match read_outcome(&path) {
            Some(Outcome::Status(status)) => Ok(Exit::Status(status)),
            Some(Outcome::Signal(number)) => Ok(Exit::Signal(signal_name(number))),
            Some(Outcome::TimedOut) => Ok(Exit::TimedOut(exec.timeout.unwrap_or_default())),
            Some(Outcome::Failed(why)) => Err(from_text(&why)),
            Some(Outcome::Done) => Err(Error::internal("a command ended as a transfer does")),
            None => Ok(Exit::Lost(format!("sandbox {} ended while the command ran", self.shared.id))),
        }
    }

    async fn put(&self, mut archive: Reader<'_>, to: &str) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(Action::Put { to: to.into() })?;
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        if let Some(mut pipe) = child.stdin.take()
            && let Err(error) = tokio::io::copy(&mut archive, &mut pipe).await
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(Error::build(format!("send files to {to}")).because(error));
        }
        // A pipe that broke has its reason on the other end.
        self.finish(child, outcome).await
    }

    async fn get(&self, from: &str, mut archive: Writer<'_>) -> Result<()> {
        let (mut command, outcome) = self.prepare_running(Action::Get { from: from.into() })?;
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        if let Some(mut pipe) = child.stdout.take() {
            let failed = |error| Error::build(format!("receive {from}")).because(error);
            tokio::io::copy(&mut pipe, &mut archive).await.map_err(failed)?;
            archive.shutdown().await.map_err(failed)?;
        }
        self.finish(child, outcome).await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>> {
        let failed =
            |error| Error::build(format!("connect to {host}:{port} in sandbox {}", self.shared.id)).because(error);
        if self.shared.spec.network == Network::Host && self.shared.address().is_some() {
            return Ok(Box::new(tokio::net::TcpStream::connect((host, port)).await.map_err(failed)?));
        }
        let (mut command, _) = self.prepare_running(Action::Dial { host: host.to_owned(), port })?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| broken(&error))?;
        let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::internal(format!("a pipe of platform {PLATFORM} is missing")));
        };
        if from.read_u8().await.ok() != Some(CONNECTED) {
            let output = child.wait_with_output().await.map_err(|error| broken(&error))?;
            return Err(said(&output.stderr));
        }
        Ok(Box::new(Dialled { from, to: Some(to), _child: child }))
    }
}

/// Feeds a command and hands on what it says, until it ends.
async fn pump(child: &mut Child, stdin: &mut Reader<'_>, output: &mut dyn OutputSink) -> std::io::Result<()> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut to), Some(mut stdout), Some(mut stderr)) = pipes else {
        return Err(std::io::ErrorKind::NotConnected.into());
    };
    let feed = async move {
        // A command that doesn't read to the end closes the pipe: its right.
        let _ = tokio::io::copy(stdin, &mut to).await;
    };
    tokio::pin!(feed);
    let (mut from_stdout, mut from_stderr) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut fed, mut out_open, mut err_open, mut ended) = (false, true, true, false);
    while !ended || out_open || err_open {
        tokio::select! {
            read = stdout.read(&mut from_stdout), if out_open => match read? {
                0 => out_open = false,
                length => output.write(Stream::Stdout, &from_stdout[..length]),
            },
            read = stderr.read(&mut from_stderr), if err_open => match read? {
                0 => err_open = false,
                length => output.write(Stream::Stderr, &from_stderr[..length]),
            },
            () = &mut feed, if !fed && !ended => fed = true,
            status = child.wait(), if !ended => {
                status?;
                ended = true;
            }
            () = tokio::time::sleep(DRAIN), if ended => return Ok(()),
        }
    }
    Ok(())
}

/// A connection that goes through a process in the sandbox's network.
struct Dialled {
    from: ChildStdout,
    to: Option<ChildStdin>,
    /// Killed when the connection is dropped.
    _child: Child,
}

impl AsyncRead for Dialled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.from).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dialled {
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
        // Closing the pipe is what the other end waits for; a pipe's own shutdown does nothing.
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
