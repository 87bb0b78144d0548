//! Checks after the login that commands run, and that they run as root.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, sanitize};
use tokio::time::timeout;

use crate::exec::{self, Output};
use crate::pump::Feed;
use crate::root;
use crate::session::{ChannelError, MachineFacts, Session};
use crate::target::RootAccess;

/// Time for a booting machine to run one command.
const LIMIT: Duration = Duration::from_secs(30);

/// The first word distinguishes the answer from the output of a login shell's start-up files.
const COMMAND: &str = "echo ami-bake-root $(id -u) $(command -v gzip)";

/// Why a login can't be used.
#[derive(Debug)]
pub(crate) enum ProbeError {
    /// The connection ended.
    Lost(String),
    /// Commands do not run, or not as root.
    NotRoot(String),
    /// The machine refused the password.
    Refused(String),
}

/// Makes commands run as root, and looks at the machine. `again` when it was connected to before.
pub(crate) async fn become_root(
    session: &Arc<Session>,
    access: &RootAccess,
    again: bool,
) -> Result<MachineFacts, ProbeError> {
    let Some(keeper) = session.privilege.folder() else { return probe(session).await };
    let attached = again && root::attach(session, keeper).await;
    if !attached && !access.in_terminal() {
        match probe(session).await {
            Err(ProbeError::NotRoot(detail)) if detail.contains(NEEDS_TERMINAL) => {}
            probed => return probed,
        }
    }
    if !attached {
        root::raise(session, access, keeper).await?;
    }
    probe(session).await
}

/// What sudo says where its `requiretty` is set (sudo 1.9, `must_have_tty`; 1.8 says the same).
const NEEDS_TERMINAL: &str = "you must have a tty to run sudo";

/// Runs one command as root, and measures the round trip at the same time.
async fn probe(session: &Arc<Session>) -> Result<MachineFacts, ProbeError> {
    let run = async {
        let channel = session.command_channel().await.map_err(|closed| match closed {
            ChannelError::Lost(reason) => ProbeError::Lost(reason),
            closed @ ChannelError::Refused(_) => ProbeError::NotRoot(closed.to_string()),
        })?;
        let begun = Instant::now();
        let mut feed = Feed::plain(Box::new(tokio::io::empty()));
        let mut answer = Collect::default();
        let ping = async {
            session.ping().await;
            begun.elapsed()
        };
        let mut output = Output::Sink(&mut answer);
        let command = format!("{}{COMMAND}", session.privilege.keeper());
        let exec = exec::run(session, (None, channel), &command, &mut feed, None, &mut output);
        let (exit, round_trip) = tokio::join!(exec, ping);
        drop(output);
        let exit = exit.map_err(|error| ProbeError::NotRoot(error.to_string()))?;
        Ok((exit, answer, round_trip))
    };
    let (exit, answer, round_trip) =
        timeout(LIMIT, run).await.map_err(|_| ProbeError::Lost("the first command did not end".to_owned()))??;
    if let Exit::Lost(reason) = &exit {
        return Err(ProbeError::Lost(reason.clone()));
    }
    let text = answer.stdout_text();
    let Some(words) = text.lines().find_map(|line| line.strip_prefix("ami-bake-root ")) else {
        return Err(ProbeError::NotRoot(unexpected_output(&answer, &exit)));
    };
    let mut words = words.split_whitespace();
    match words.next() {
        Some("0") => Ok(MachineFacts { round_trip, gzip: words.next().is_some() }),
        uid => Err(ProbeError::NotRoot(format!("commands run as uid {}", uid.unwrap_or("unknown")))),
    }
}

/// The machine's output where the answer was expected, in one line.
fn unexpected_output(answer: &Collect, exit: &Exit) -> String {
    let said = format!("{} {}", answer.stderr_text(), answer.stdout_text());
    let said = sanitize(&said.split_whitespace().collect::<Vec<_>>().join(" "));
    match (said.is_empty(), exit) {
        (false, _) => said.chars().take(300).collect(),
        (true, Exit::Status(status)) => format!("the first command exited with status {status} and no output"),
        (true, other) => format!("the first command ended with {other}"),
    }
}
