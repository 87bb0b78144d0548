//! What Chef's exit statuses ask for beyond "it failed" (Chef's design document "client exit codes", RFC 062).

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use tokio::time::Instant;

use crate::shell::ask;

/// How often the tool may ask to be run again; a recipe that asks each time would never end.
pub(super) const ROUNDS: u32 = 5;
/// How long the machine may take to come back where the step has no limit.
const BACK: Duration = Duration::from_mins(10);
/// How long the connection may take to come back after a restart of the recipe's own.
const RECOVER: Duration = Duration::from_mins(2);

/// What an end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitMeaning {
    /// Nothing: it is done, or it failed.
    Nothing,
    /// The machine is to be restarted, and the tool to be run again.
    Restart,
    /// The tool has put a newer version in its own place.
    Again,
    /// The connection was lost: a recipe may have restarted the machine.
    Look,
}

/// Reads an end.
pub(super) fn next(exit: &Exit) -> ExitMeaning {
    match exit {
        // A restart is under way, is needed before the run can go on, or was tried in vain, as in a container.
        Exit::Status(35 | 37 | 41) => ExitMeaning::Restart,
        Exit::Status(213) => ExitMeaning::Again,
        Exit::Lost(_) => ExitMeaning::Look,
        _ => ExitMeaning::Nothing,
    }
}

/// Reboots the machine, unless a recipe's own restart already did (its boot id is not `before`). False when no reboot was
/// asked for and the boot id is unchanged.
pub(super) async fn boot(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    next: ExitMeaning,
    before: &str,
    deadline: Option<Instant>,
) -> Result<bool> {
    let left = |limit: Duration| deadline.map_or(limit, |at| limit.min(at.saturating_duration_since(Instant::now())));
    let named = |error: Error| {
        let help = error.help_text().unwrap_or("Check the machine's console.").to_owned();
        Error::new(error.kind(), format!("step `{}`: could not restart the machine for Chef", step.name))
            .because(error)
            .help(help)
    };
    on.machine.recover(run, left(RECOVER)).await.map_err(named)?;
    if id(run, on).await? != before {
        return Ok(true);
    }
    if next == ExitMeaning::Look {
        return Ok(false);
    }
    on.machine.reboot(run, left(BACK)).await.map_err(named)?;
    Ok(true)
}

/// The machine's boot id; empty where the kernel has none (a container).
pub(super) async fn id(run: &Run, on: &ConnectedMachine<'_>) -> Result<String> {
    let command = "cat /proc/sys/kernel/random/boot_id 2>/dev/null || :";
    ask(run, on, "read the machine's boot ID", command).await?.text("read the machine's boot ID")
}
