//! The part of entering a sandbox that runs inside.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::enter::{Action, Task};
use super::entry::{Context, describe};
use super::init::ENVIRONMENT;
use super::spec::Network;
use super::{capabilities, descendants, transfer};

/// How a task ended.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Whatever was to be done is done.
    Done,
    /// The command exited with this status.
    Status(i32),
    /// This signal ended the command.
    Signal(i32),
    /// The command ran past its limit and was killed with all that it started.
    TimedOut,
    /// It could not be done, and why.
    Failed(String),
}

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let doing = || "enter the sandbox".to_owned();
    // Whoever stops waiting for a command ends it.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).context(doing)?;
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let task: Task = serde_json::from_str(text).map_err(|error| Error::build(doing()).because(error))?;
    let mut file = File::create(&task.outcome).context(doing)?;
    let outcome = take_root(&task).and_then(|()| act(&task.action));
    let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(describe(&error)));
    let text = serde_json::to_vec(&outcome).map_err(|error| Error::build(doing()).because(error))?;
    file.write_all(&text).context(doing)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the sandbox's root this process's; the paths of the host are gone after it.
fn take_root(task: &Task) -> Result<()> {
    let doing = || "enter the sandbox's root".to_owned();
    let mounts = File::open(format!("/proc/{}/ns/mnt", task.address.pid)).context(doing)?;
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount)).context(doing)?;
    rustix::process::setsid().context(doing)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let network = if task.no_network { Network::None } else { Network::Host };
    capabilities::drop_dangerous(task.user_namespace, network)
}

fn act(action: &Action) -> Result<Outcome> {
    match action {
        Action::Exec { command, timeout } => exec(command, timeout.map(Duration::from_millis)),
        Action::Put { to } => transfer::put(to),
        Action::Get { from } => transfer::get(from),
        Action::Stop { patience } => block_on(descendants::stop_all(Duration::from_millis(*patience))),
        Action::Dial { .. } => Err(Error::internal("a connection is not made from within")),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start an event loop in the sandbox".to_owned())?.block_on(future)
}

fn exec(command: &str, timeout: Option<Duration>) -> Result<Outcome> {
    let doing = || "start /bin/sh in the sandbox".to_owned();
    // What the command leaves orphaned becomes this process's child, so that it can be found when time is over. When
    // the command ends by itself it goes on to init and lives as long as the machine.
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
                        (Some(code), _) => Outcome::Status(code),
                        (None, signal) => Outcome::Signal(signal.unwrap_or_default()),
                    });
                }
            }
            tokio::select! {
                _ = died.recv() => {}
                _ = terminate.recv() => {
                    descendants::kill_all().await?;
                    return Err(Error::build("run the command: nobody waits for it any more"));
                }
                () = &mut limit => {
                    descendants::kill_all().await?;
                    return Ok(Outcome::TimedOut);
                }
            }
        }
    })
}
