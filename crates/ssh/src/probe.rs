//! Proves that a login can really do the work: run a command, and run it as root.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, sanitize};
use tokio::time::timeout;

use crate::exec::{self, Output};
use crate::pump::Feed;
use crate::session::{Closed, Session};

/// A machine in the middle of its boot may take this long to start one process.
const LIMIT: Duration = Duration::from_secs(30);

/// The word keeps the answer apart from what a login shell's start-up files print.
const COMMAND: &str = "echo ami-bake-root $(id -u) $(command -v gzip)";

/// What the probe found out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// One round trip.
    pub(crate) distance: Duration,
    /// The machine can unpack gzip.
    pub(crate) gzip: bool,
}

/// Why a login is not enough.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The connection ended.
    Lost(String),
    /// Commands don't run, or not as root.
    NotRoot(String),
}

/// Runs one command as root and measures the distance at the same time.
pub(crate) async fn prove(session: &Arc<Session>) -> Result<Facts, Unfit> {
    let run = async {
        let channel = session.command_channel().await.map_err(|closed| match closed {
            Closed::Lost(reason) => Unfit::Lost(reason),
            closed @ Closed::Refused(_) => Unfit::NotRoot(closed.to_string()),
        })?;
        let begun = Instant::now();
        let mut feed = Feed::plain(Box::new(tokio::io::empty()));
        let mut answer = Collect::default();
        let ping = async {
            session.ping().await;
            begun.elapsed()
        };
        let mut output = Output::Sink(&mut answer);
        let exec = exec::run(session, (None, channel), COMMAND, &mut feed, None, &mut output);
        let (exit, distance) = tokio::join!(exec, ping);
        drop(output);
        let exit = exit.map_err(|error| Unfit::NotRoot(error.to_string()))?;
        Ok((exit, answer, distance))
    };
    let (exit, answer, distance) =
        timeout(LIMIT, run).await.map_err(|_| Unfit::Lost("a first command did not end".to_owned()))??;
    if let Exit::Lost(reason) = &exit {
        return Err(Unfit::Lost(reason.clone()));
    }
    let text = answer.stdout_text();
    let Some(words) = text.lines().find_map(|line| line.strip_prefix("ami-bake-root ")) else {
        return Err(Unfit::NotRoot(complaint(&answer, &exit)));
    };
    let mut words = words.split_whitespace();
    match words.next() {
        Some("0") => Ok(Facts { distance, gzip: words.next().is_some() }),
        uid => Err(Unfit::NotRoot(format!("commands run as uid {}", uid.unwrap_or("unknown")))),
    }
}

/// What the machine said instead, in one line.
fn complaint(answer: &Collect, exit: &Exit) -> String {
    let said = format!("{} {}", answer.stderr_text(), answer.stdout_text());
    let said = sanitize(&said.split_whitespace().collect::<Vec<_>>().join(" "));
    match (said.is_empty(), exit) {
        (false, _) => said.chars().take(300).collect(),
        (true, Exit::Status(status)) => format!("a first command exits with status {status} and no output"),
        (true, other) => format!("a first command ends with {other:?}"),
    }
}
