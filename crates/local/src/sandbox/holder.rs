//! The holder: the foreground process that creates the namespaces and lives as long as the sandbox.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use ami_bake_core::{Error, Result, whole_file};
use rustix::process::{Pid, Signal as Kill, kill_process};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::{COMMAND, INIT, SETUP_FAILED};
use super::failure::Context;
use super::spec::{Network, Spec};
use super::{raw, users};

/// The holder's message to init, one line of JSON on the socket that is init's standard input. The socket stays open as
/// long as the holder lives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InitRequest {
    pub(super) spec: Spec,
    /// True when the sandbox has a user namespace of its own.
    pub(super) user_namespace: bool,
    /// Process ID of the holder in the host's `/proc`.
    pub(super) holder: u32,
}

/// Init's only reply.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum InitReply {
    /// The sandbox is running.
    Ready,
    /// The sandbox could not be set up, for this reason.
    Failed(String),
}

/// Lifetime of a sandbox without a limit, in seconds.
const UNLIMITED: u64 = 100 * 365 * 86400;

pub(crate) fn main(spec_path: &Path) -> Result<ExitCode> {
    let place = || format!("read the sandbox description {}", spec_path.display());
    let text = std::fs::read(spec_path).context(place)?;
    let spec: Spec = serde_json::from_slice(&text).map_err(|error| Error::build(place()).because(error))?;
    let user_namespace = users::needed();
    let mut flags = UnshareFlags::NEWPID | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC;
    if spec.network == Network::None {
        flags |= UnshareFlags::NEWNET;
    }
    if user_namespace {
        users::unshare_with(flags)?;
    } else {
        raw::unshare(flags).context(|| "create the namespaces of the sandbox".to_owned()).map_err(|error| {
            error.help("In a container, start the container with --privileged, or use --platform docker.")
        })?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start the sandbox's event loop".to_owned())?.block_on(hold(spec, user_namespace))
}

/// Starts init and waits for its end. Init gets a parent-death signal, so that it ends when this process does.
#[expect(clippy::disallowed_methods, reason = "its reader is this program")]
async fn hold(spec: Spec, user_namespace: bool) -> Result<ExitCode> {
    let doing = || "start the sandbox's init".to_owned();
    let signals = Signals::listen().context(doing)?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().context(doing)?;
    let mut init = Command::new("/proc/self/exe")
        .arg0("ami-bake-init")
        .args([COMMAND, INIT])
        // Cleared, since processes in the sandbox can read init's environment.
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .context(doing)?;
    ours.set_nonblocking(true).context(doing)?;
    let mut line = serde_json::to_vec(&InitRequest { spec: spec.clone(), user_namespace, holder: std::process::id() })
        .map_err(|error| Error::build(doing()).because(error))?;
    line.push(b'\n');
    let (replies, mut requests) = UnixStream::from_std(ours).context(doing)?.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut requests, &line).await.context(doing)?;
    let mut reply = String::new();
    let lifeline = Lifeline::open(spec.lifeline)?;
    BufReader::new(replies).read_line(&mut reply).await.context(doing)?;
    match serde_json::from_str(&reply) {
        Ok(InitReply::Ready) => {}
        Ok(InitReply::Failed(why)) => return Err(Error::build(why)),
        // Init was killed before it could reply.
        Err(_) => return Ok(exit_code(init.wait().await.context(doing)?)),
    }
    // Unmounting a root that a step has searched takes the kernel a second per hundred thousand files. This process
    // keeps the mounts open and releases them last, so that nobody who waits for init's end has to wait for that, too.
    let mut mounts = None;
    if let Some(pid) = init.id() {
        mounts = std::fs::File::open(format!("/proc/{pid}/ns/mnt")).ok();
        if let Some(path) = &spec.ready {
            write_ready(path, pid)?;
        }
        if spec.announce {
            writeln!(std::io::stdout(), "{pid}").context(doing)?;
        }
    }
    // The socket has to stay open until the end: init ends when it is closed.
    let code = wait(&mut init, signals, lifeline, &spec).await;
    if spec.announce {
        // The reader may be gone already.
        let _ = writeln!(std::io::stdout(), "ended");
    }
    drop((requests, mounts));
    code
}

/// Writes the file that shows that the sandbox is running, whole or not at all.
fn write_ready(path: &Path, pid: u32) -> Result<()> {
    let doing = || format!("write {}", path.display());
    whole_file::replace(path, |to| writeln!(to, "{pid}")).context(doing)
}

/// Signals that end the program. They are registered before the program starts, so that none is missed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

async fn wait(init: &mut Child, mut signals: Signals, mut lifeline: Lifeline, spec: &Spec) -> Result<ExitCode> {
    let doing = || "watch the sandbox".to_owned();
    let end = tokio::time::sleep(Duration::from_secs(spec.lifetime.unwrap_or(UNLIMITED)));
    tokio::pin!(end);
    loop {
        let send = tokio::select! {
            status = init.wait() => return Ok(exit_code(status.context(doing)?)),
            _ = signals.terminate.recv() => Kill::TERM,
            // At a terminal, Ctrl-C is meant for the command in the shell, not for the machine.
            _ = signals.interrupt.recv() => if spec.interactive { Kill::INT } else { Kill::TERM },
            _ = signals.hang_up.recv() => Kill::TERM,
            () = lifeline.ended() => Kill::KILL,
            () = &mut end, if !end.is_elapsed() => Kill::KILL,
        };
        if let Some(pid) = init.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // Init may have ended meanwhile.
            let _ = kill_process(pid, send);
        }
    }
}

/// The holder's standard input, if the sandbox is to end when it is closed.
enum Lifeline {
    None,
    Pipe(pipe::Receiver),
    Cut,
}

impl Lifeline {
    fn open(enabled: bool) -> Result<Self> {
        use std::os::fd::AsFd;
        if !enabled {
            return Ok(Self::None);
        }
        let doing = || "watch standard input: it must be a pipe".to_owned();
        let descriptor = std::io::stdin().as_fd().try_clone_to_owned().context(doing)?;
        Ok(Self::Pipe(pipe::Receiver::from_owned_fd(descriptor).context(doing)?))
    }

    /// Returns once the pipe has no writer any more.
    async fn ended(&mut self) {
        if let Self::Pipe(pipe) = self {
            let mut buffer = [0; 64];
            while matches!(pipe.read(&mut buffer).await, Ok(1..)) {}
            *self = Self::Cut;
        } else {
            std::future::pending::<()>().await;
        }
    }
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| Some(128 + status.signal()?)).and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(SETUP_FAILED))
}
