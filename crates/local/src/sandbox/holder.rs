//! The holder: the process in the foreground that makes the namespaces and lives as long as the sandbox.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::process::{Pid, Signal as Kill, kill_process};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::entry::{Context, FAILED, INIT, VERB};
use super::spec::{Network, Spec};
use super::{raw, users};

/// What the holder tells init, as one line of JSON on the socket that is init's standard input. The socket stays open as
/// long as the holder lives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) spec: Spec,
    /// True when the sandbox has a user namespace of its own.
    pub(super) user_namespace: bool,
    /// The holder's process id, as `/proc` of the host shows it.
    pub(super) holder: u32,
}

/// What init answers, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The sandbox stands.
    Ready,
    /// It could not be set up, and why.
    Failed(String),
}

/// A lifetime that no machine reaches, in seconds.
const FOREVER: u64 = 100 * 365 * 86400;

pub(super) fn main(spec_path: &Path) -> Result<ExitCode> {
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
        raw::unshare(flags).context(|| "make the namespaces of the sandbox".to_owned()).map_err(|error| {
            error.help("Root of a container may do this when the container was started with --privileged; else use --platform docker.")
        })?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start the sandbox's event loop".to_owned())?.block_on(hold(spec, user_namespace))
}

/// Starts init and stays until it ends. Init gets a parent-death signal, so that it ends with this process too.
async fn hold(spec: Spec, user_namespace: bool) -> Result<ExitCode> {
    let doing = || "start the sandbox's init".to_owned();
    let signals = Signals::listen().context(doing)?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().context(doing)?;
    let mut init = Command::new("/proc/self/exe")
        .arg0("ami-bake-init")
        .args([VERB, INIT])
        // Init's environment can be read inside.
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .context(doing)?;
    ours.set_nonblocking(true).context(doing)?;
    let mut line = serde_json::to_vec(&Orders { spec: spec.clone(), user_namespace, holder: std::process::id() })
        .map_err(|error| Error::build(doing()).because(error))?;
    line.push(b'\n');
    let (answers, mut orders) = UnixStream::from_std(ours).context(doing)?.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut orders, &line).await.context(doing)?;
    let mut answer = String::new();
    let lifeline = Lifeline::open(spec.lifeline)?;
    BufReader::new(answers).read_line(&mut answer).await.context(doing)?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Ready) => {}
        Ok(Answer::Failed(why)) => return Err(Error::build(why)),
        // It was killed before it could answer.
        Err(_) => return Ok(exit_code(init.wait().await.context(doing)?)),
    }
    // Letting go of a root that a step has searched takes the kernel a second for every hundred thousand files. That is
    // this process's last work, so that init's end is the end of all the others and nobody waits for more.
    let mut mounts = None;
    if let Some(pid) = init.id() {
        mounts = std::fs::File::open(format!("/proc/{pid}/ns/mnt")).ok();
        if let Some(path) = &spec.ready {
            tell_ready(path, pid)?;
        }
        if spec.announce {
            writeln!(std::io::stdout(), "{pid}").context(doing)?;
        }
    }
    // The descriptor of the orders must live until the end: init ends when it is closed.
    let code = wait(&mut init, signals, lifeline, &spec).await;
    if spec.announce {
        // Nobody has to listen any more.
        let _ = writeln!(std::io::stdout(), "ended");
    }
    drop((orders, mounts));
    code
}

/// The file appears whole or not at all.
fn tell_ready(path: &Path, pid: u32) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let partial = path.with_extension("partial");
    std::fs::File::create(&partial).and_then(|mut file| writeln!(file, "{pid}")).context(doing)?;
    std::fs::rename(&partial, path).context(doing)
}

/// What may tell the holder to end the program. Listened to before the program starts, so that nothing is missed.
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
    let end = tokio::time::sleep(Duration::from_secs(spec.lifetime.unwrap_or(FOREVER)));
    tokio::pin!(end);
    loop {
        let send = tokio::select! {
            status = init.wait() => return Ok(exit_code(status.context(doing)?)),
            _ = signals.terminate.recv() => Kill::TERM,
            // At a terminal it is meant for what runs in the shell, not for the machine.
            _ = signals.interrupt.recv() => if spec.interactive { Kill::INT } else { Kill::TERM },
            _ = signals.hang_up.recv() => Kill::TERM,
            () = lifeline.ended() => Kill::KILL,
            () = &mut end, if !end.is_elapsed() => Kill::KILL,
        };
        if let Some(pid) = init.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // Init may be gone between two looks at it.
            let _ = kill_process(pid, send);
        }
    }
}

/// The holder's standard input, where the sandbox's life hangs on it.
enum Lifeline {
    None,
    Pipe(pipe::Receiver),
    Cut,
}

impl Lifeline {
    fn open(wanted: bool) -> Result<Self> {
        use std::os::fd::AsFd;
        if !wanted {
            return Ok(Self::None);
        }
        let doing = || "watch the lifeline: standard input has to be a pipe".to_owned();
        let descriptor = std::io::stdin().as_fd().try_clone_to_owned().context(doing)?;
        Ok(Self::Pipe(pipe::Receiver::from_owned_fd(descriptor).context(doing)?))
    }

    /// Returns once, when the pipe's last writer is gone.
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
    ExitCode::from(code.unwrap_or(FAILED))
}
