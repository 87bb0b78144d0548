//! PID 1 of a sandbox: sets up the root, runs the program, and reaps processes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};

use ami_bake_core::{Error, Result};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::{Context, describe};
use super::holder::{InitReply, InitRequest};
use super::spec::{Network, Spec};
use super::{capabilities, network, raw, root};

/// The environment of a root login.
pub(super) const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("USER", "root"),
    ("LOGNAME", "root"),
    ("SHELL", "/bin/sh"),
    ("LANG", "C.UTF-8"),
];

pub(super) fn main() -> Result<ExitCode> {
    use std::os::fd::AsFd;
    let doing = || "communicate with the sandbox's holder".to_owned();
    // First, so that the sandbox ends with the holder. If the holder died before this line, the socket is closed.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context(doing)?;
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().context(doing)?);
    let mut line = String::new();
    BufReader::new(&socket).read_line(&mut line).context(doing)?;
    let request: InitRequest = serde_json::from_str(&line).map_err(|error| Error::build(doing()).because(error))?;
    let stdin = standard_input(&request)?;
    let started = set_up(&request).and_then(|()| start(&request.spec, stdin));
    let reply = match &started {
        Ok(_) => InitReply::Ready,
        Err(error) => InitReply::Failed(describe(error)),
    };
    let mut line = serde_json::to_vec(&reply).map_err(|error| Error::build(doing()).because(error))?;
    line.push(b'\n');
    (&socket).write_all(&line).context(doing)?;
    // The holder has received the reason and prints it.
    let Ok(child) = started else { return Ok(ExitCode::FAILURE) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start init's event loop".to_owned())?.block_on(reap(child, socket))
}

/// The standard input of the program: empty, or the holder's. It is opened while the host's `/proc` is still visible.
fn standard_input(request: &InitRequest) -> Result<Stdio> {
    if !request.spec.interactive {
        return Ok(Stdio::null());
    }
    let path = format!("/proc/{}/fd/0", request.holder);
    let file = std::fs::OpenOptions::new().read(true).open(&path).context(|| format!("open {path}"))?;
    Ok(Stdio::from(file))
}

fn set_up(request: &InitRequest) -> Result<()> {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::setsid().context(|| "create a session for the sandbox".to_owned())?;
    raw::unshare(UnshareFlags::NEWNS).context(|| "create a mount namespace".to_owned())?;
    rustix::system::sethostname(request.spec.hostname.as_bytes())
        .context(|| format!("set the host name {:?}", request.spec.hostname))?;
    if request.spec.network == Network::None {
        network::raise_loopback()?;
    }
    root::enter(&request.spec, request.user_namespace)?;
    capabilities::drop_dangerous(request.user_namespace, request.spec.network)
}

/// Starts the program, if the sandbox has one.
fn start(spec: &Spec, stdin: Stdio) -> Result<Option<Pid>> {
    let Some((program, arguments)) = spec.init.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env_clear().stdin(stdin);
    match &spec.env {
        Some(env) => command.envs(env),
        None => command.envs(ENVIRONMENT),
    };
    // Its own process group, so that a signal to the group does not reach init.
    let child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn();
    let child = child.context(|| format!("start {program} in the sandbox"))?;
    Ok(i32::try_from(child.id()).ok().and_then(Pid::from_raw))
}

/// Reaps orphans until the program ends. Then PID 1 ends, and the kernel kills all other processes.
async fn reap(child: Option<Pid>, socket: UnixStream) -> Result<ExitCode> {
    let doing = || "reap the sandbox's processes".to_owned();
    let mut died = signal(SignalKind::child()).context(doing)?;
    let mut terminate = signal(SignalKind::terminate()).context(doing)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(doing)?;
    socket.set_nonblocking(true).context(doing)?;
    let holder = tokio::net::UnixStream::from_std(socket).context(doing)?;
    loop {
        // Before each wait: a child may have ended before the signal handler was installed.
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if Some(pid) == child {
                let code = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
                return Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
            }
        }
        tokio::select! {
            _ = died.recv() => {}
            _ = terminate.recv() => match child {
                Some(child) => { let _ = rustix::process::kill_process(child, Signal::TERM); }
                None => return Ok(ExitCode::SUCCESS),
            },
            // Ctrl-C at the holder's terminal, which is not the program's own, goes to the whole process group.
            _ = interrupt.recv() => if let Some(child) = child {
                let _ = rustix::process::kill_process_group(child, Signal::INT);
            },
            // The holder sends only one message, so a readable socket means that it has ended.
            _ = holder.readable() => return Ok(ExitCode::FAILURE),
        }
    }
}
