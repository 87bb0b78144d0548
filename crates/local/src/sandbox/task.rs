//! Tasks inside a sandbox and their outcomes, as JSON between processes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A task in a sandbox, as the only argument of the hidden command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The sandbox.
    pub(crate) address: Address,
    /// True when the sandbox has no network.
    pub(crate) no_network: bool,
    /// True when the sandbox has a user namespace of its own.
    pub(crate) user_namespace: bool,
    /// Path of the file for the [`TaskOutcome`]. A file that stays empty means that the sandbox died.
    pub(crate) outcome: PathBuf,
    /// What to do.
    pub(crate) action: Action,
}

/// A sandbox's init process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Process ID of init.
    pub(crate) pid: u32,
    /// Start time of init in clock ticks since the host's boot, which distinguishes it from a later process with the
    /// same ID.
    pub(crate) started: u64,
}

/// An action inside a sandbox.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Runs a shell command. After this many milliseconds it is killed with everything that it started.
    Exec { command: String, timeout: Option<u64> },
    /// Unpacks standard input, a tar stream, into a folder.
    Put { to: PathBuf },
    /// Packs a path as a tar stream to standard output.
    Get { from: PathBuf },
    /// Sends SIGTERM to every process and waits this many milliseconds for their end.
    Stop { patience: u64 },
    /// Connects standard input and output to a TCP port as seen from the sandbox; [`CONNECTED`] is sent first.
    Dial { host: String, port: u16 },
}

/// How a task ended.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskOutcome {
    /// The task succeeded.
    Done,
    /// The command exited with this status.
    Status(i32),
    /// This signal ended the command.
    Signal(i32),
    /// The command exceeded its time limit and was killed with everything that it started.
    TimedOut,
    /// The task failed, for this reason.
    Failed(String),
}

/// The byte that is sent before the bytes of a connection.
pub(crate) const CONNECTED: u8 = 6;

impl Address {
    /// The address of the process that has this ID now.
    pub(crate) fn of(pid: u32) -> std::io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Field 22 (proc_pid_stat(5)), counted after the name, which may contain spaces and parentheses.
        let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
        started.map(|started| Self { pid, started }).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}
