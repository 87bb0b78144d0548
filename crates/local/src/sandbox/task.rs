//! What is done inside a sandbox, and how it ended, as JSON between processes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A task in a sandbox, as the one argument of the hidden command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The sandbox.
    pub(crate) address: Address,
    /// True when it has no network.
    pub(crate) no_network: bool,
    /// True when it has a user namespace of its own.
    pub(crate) user_namespace: bool,
    /// Where the [`TaskOutcome`] is written. A file that stays empty means that the sandbox died.
    pub(crate) outcome: PathBuf,
    /// What to do.
    pub(crate) action: Action,
}

/// A sandbox's init process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Process ID of init.
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since the host's boot: tells it from a later process with the same id.
    pub(crate) started: u64,
}

/// What is done inside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Runs a shell command; it and all that it started are killed after this many milliseconds.
    Exec { command: String, timeout: Option<u64> },
    /// Unpacks standard input, a tar stream, into a folder.
    Put { to: PathBuf },
    /// Packs a path as a tar stream to standard output.
    Get { from: PathBuf },
    /// Sends SIGTERM to every process and waits this many milliseconds for their end.
    Stop { patience: u64 },
    /// Connects standard input and output with a TCP port as seen inside; [`CONNECTED`] comes first.
    Dial { host: String, port: u16 },
}

/// How a task ended.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskOutcome {
    /// It is done.
    Done,
    /// The command exited with this status.
    Status(i32),
    /// This signal ended the command.
    Signal(i32),
    /// The command ran past its limit and was killed with all that it started.
    TimedOut,
    /// It failed, and why.
    Failed(String),
}

/// The byte that precedes the bytes of a dialed connection.
pub(crate) const CONNECTED: u8 = 6;

impl Address {
    /// The process with this id as it is now.
    pub(crate) fn of(pid: u32) -> std::io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Field 22 (proc_pid_stat(5)), counted after the name, which may contain spaces and parentheses.
        let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
        started.map(|started| Self { pid, started }).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}
