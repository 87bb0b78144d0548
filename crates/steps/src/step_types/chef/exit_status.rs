//! Chef's exit statuses that request more than "it failed" (Chef's design document "client exit codes", RFC 062).

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use tokio::time::Instant;

use crate::shell::ask;

/// Maximum number of runs: a recipe that always requests another one would never end.
pub(super) const ROUNDS: u32 = 5;
/// Time limit for the machine to come back if the step has none.
const BACK: Duration = Duration::from_mins(10);
/// Time limit for reconnecting after a restart by a recipe.
const RECOVER: Duration = Duration::from_mins(2);

/// Meaning of the tool's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitMeaning {
    /// The tool has finished or failed.
    Nothing,
    /// The machine is to be restarted, and the tool run again.
    Restart,
    /// The tool has updated itself and is to be run again.
    Again,
    /// The connection was lost: a recipe may have restarted the machine.
    Look,
}

/// Maps an exit status to its meaning.
pub(super) fn next(exit: &Exit) -> ExitMeaning {
    match exit {
        // A restart is in progress, is required to continue, or failed, as in a container.
        Exit::Status(35 | 37 | 41) => ExitMeaning::Restart,
        Exit::Status(213) => ExitMeaning::Again,
        Exit::Lost(_) => ExitMeaning::Look,
        _ => ExitMeaning::Nothing,
    }
}

/// Reboots the machine, unless a recipe has already done so (its boot id is not `before`). False when no reboot was
/// requested and the boot id is unchanged.
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

/// The machine's boot id; empty if the kernel has none (a container).
pub(super) async fn id(run: &Run, on: &ConnectedMachine<'_>) -> Result<String> {
    let command = "cat /proc/sys/kernel/random/boot_id 2>/dev/null || :";
    ask(run, on, "read the machine's boot ID", command).await?.text("read the machine's boot ID")
}
