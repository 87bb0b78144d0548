//! Runs a program on this computer: passes on its output, and ends it with everything that it started.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::future::Future;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::kill::MARK;
use ami_bake_core::output::{OutputSink, pump};
use ami_bake_core::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::tools::not_there;

/// Number of attempts to find and kill all processes of a program; each takes some milliseconds.
const LOOKS: usize = 100;

/// A program to run.
pub(super) struct LocalProgram<'a> {
    /// Name of the program, found on the PATH.
    pub(super) name: &'static str,
    /// Arguments.
    pub(super) args: Vec<OsString>,
    /// Working directory; empty for the current one.
    pub(super) folder: &'a Path,
    /// Environment variables in addition to those of this process.
    pub(super) env: &'a [(String, OsString)],
    /// Environment variables of this process to remove.
    pub(super) hidden: &'a [&'a str],
}

impl LocalProgram<'_> {
    /// Runs the program with empty standard input. At its deadline, waits for `settle` before it is killed. However the
    /// call ends, no process of it is left.
    ///
    /// # Errors
    /// When it could not be started.
    pub(super) async fn run(
        self,
        output: &mut (dyn OutputSink + Send),
        deadline: Option<(Duration, Instant)>,
        settle: impl Future<Output = ()>,
    ) -> Result<Exit> {
        let mark = uuid::Uuid::new_v4().simple().to_string();
        let mut command = Command::new(self.name);
        command.args(self.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in self.hidden {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value))).env(MARK, &mark);
        if !self.folder.as_os_str().is_empty() {
            command.current_dir(self.folder);
        }
        // Not in the terminal's process group: the engine handles Ctrl-C.
        let spawned = command.process_group(0).kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| not_there(self.name, error))?;
        let _tree = ProcessTree(mark);
        let limit = deadline.map(|(limit, _)| limit).unwrap_or_default();
        let over = async {
            match deadline {
                Some((_, at)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
            settle.await;
        };
        tokio::select! {
            exit = until_end(&mut child, output) => exit.map_err(|error| Error::build(format!("could not run {}", self.name)).because(error)),
            () = over => Ok(Exit::TimedOut(limit)),
        }
    }
}

/// Passes on the output of a child process until it ends.
async fn until_end(child: &mut Child, output: &mut (dyn OutputSink + Send)) -> std::io::Result<Exit> {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(std::io::ErrorKind::NotConnected.into());
    };
    let status = pump(stdout, stderr, child.wait(), output).await?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(9)) => Exit::Signal("KILL".to_owned()),
        (None, Some(15)) => Exit::Signal("TERM".to_owned()),
        (None, signal) => Exit::Signal(signal.unwrap_or_default().to_string()),
    })
}

/// All processes with this mark. Ansible's workers lead sessions of their own, so a process group does not include
/// them.
struct ProcessTree(String);

impl Drop for ProcessTree {
    fn drop(&mut self) {
        for _ in 0..LOOKS {
            let members = members(&self.0);
            if members.is_empty() {
                return;
            }
            for pid in members {
                // The process may have ended meanwhile.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The living processes that have the mark in their environment, and their descendants.
fn members(mark: &str) -> Vec<Pid> {
    let mark = format!("{MARK}={mark}");
    let mut parents = Vec::new();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some((alive, parent)) = status(&entry.path()) else { continue };
        if !alive {
            continue;
        }
        parents.push((pid, parent));
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            found.insert(pid);
        }
    }
    loop {
        let before = found.len();
        let more: Vec<i32> =
            parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(child, _)| *child).collect();
        found.extend(more);
        if found.len() == before {
            return found.into_iter().filter_map(Pid::from_raw).collect();
        }
    }
}

/// Whether a process is alive, and its parent (proc_pid_stat(5)).
fn status(process: &Path) -> Option<(bool, i32)> {
    let text = std::fs::read(process.join("stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some((!matches!(state, "Z" | "X"), fields.next()?.parse().ok()?))
}
