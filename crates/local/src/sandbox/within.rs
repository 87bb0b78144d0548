//! The part of entering a sandbox that runs inside it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::signal::unix::{SignalKind, signal};

use super::failure::{Context, describe};
use super::init::ENVIRONMENT;
use super::spec::Network;
use super::task::{Action, Task, TaskOutcome};
use super::{capabilities, descendants, transfer};

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let doing = || "enter the sandbox".to_owned();
    // When the process that waits for a command ends, the command ends, too.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).context(doing)?;
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let task: Task = serde_json::from_str(text).map_err(|error| Error::build(doing()).because(error))?;
    // The file exists with room for the outcome, because the command may fill the disk.
    let mut file = OpenOptions::new().write(true).open(&task.outcome).context(doing)?;
    let outcome = take_root(&task).and_then(|()| act(&task.action));
    let outcome = outcome.unwrap_or_else(|error| TaskOutcome::Failed(describe(&error)));
    let text = serde_json::to_vec(&outcome).map_err(|error| Error::build(doing()).because(error))?;
    file.write_all(&text).context(doing)?;
    Ok(ExitCode::SUCCESS)
}

/// Enters the sandbox's root; paths of the host are inaccessible afterwards.
fn take_root(task: &Task) -> Result<()> {
    let doing = || "enter the sandbox's root".to_owned();
    let mounts = File::open(format!("/proc/{}/ns/mnt", task.address.pid)).context(doing)?;
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount)).context(doing)?;
    rustix::process::setsid().context(doing)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let network = if task.no_network { Network::None } else { Network::Host };
    capabilities::drop_dangerous(task.user_namespace, network)
}

fn act(action: &Action) -> Result<TaskOutcome> {
    match action {
        Action::Exec { command, timeout } => exec(command, timeout.map(Duration::from_millis)),
        Action::Put { to } => transfer::put(to),
        Action::Get { from } => transfer::get(from),
        Action::Stop { patience } => block_on(descendants::stop_all(Duration::from_millis(*patience))),
        Action::Dial { .. } => Err(Error::internal("a connection can't be opened from inside")),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start an event loop in the sandbox".to_owned())?.block_on(future)
}

fn exec(command: &str, timeout: Option<Duration>) -> Result<TaskOutcome> {
    let doing = || "start /bin/sh in the sandbox".to_owned();
    // Orphans of the command become children of this process, so that they can be killed at the time limit. If the
    // command ends by itself, they are adopted by init and live as long as the machine.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context(doing)?;
    let home = if std::path::Path::new("/root").is_dir() { "/root" } else { "/" };
    block_on(async {
        let mut died = signal(SignalKind::child()).context(doing)?;
        let mut terminate = signal(SignalKind::terminate()).context(doing)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(home).env_clear().envs(ENVIRONMENT);
        let child = std::os::unix::process::CommandExt::process_group(&mut shell, 0).spawn().context(doing)?;
        let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let limit = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(limit);
        loop {
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if Some(pid) == child {
                    return Ok(match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => TaskOutcome::Status(code),
                        (None, signal) => TaskOutcome::Signal(signal.unwrap_or_default()),
                    });
                }
            }
            tokio::select! {
                _ = died.recv() => {}
                _ = terminate.recv() => {
                    descendants::kill_all().await?;
                    return Err(Error::build("could not run the command: it was cancelled"));
                }
                () = &mut limit => {
                    descendants::kill_all().await?;
                    return Ok(TaskOutcome::TimedOut);
                }
            }
        }
    })
}
