//! `Reboot` and `UpdateOS`.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::OutputSink;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};

use super::Attempt;
use super::inputs::Inputs;
use crate::machine::broken;

/// Time limit for the machine to come back.
const BACK: Duration = Duration::from_mins(10);

/// Restarts the machine; the next step runs once it is back.
pub(super) async fn reboot(attempt: &Attempt<'_>, inputs: Inputs<'_>) -> Result<()> {
    let seconds = inputs.text("delaySeconds").map(str::parse::<u64>).transpose();
    let seconds = seconds.map_err(|_| Error::build("`delaySeconds` is not a number"))?.unwrap_or_default();
    restart(attempt, Duration::from_secs(seconds)).await
}

/// Restarts the machine after a delay, and waits until it is back.
pub(super) async fn restart(attempt: &Attempt<'_>, delay: Duration) -> Result<()> {
    let machine = attempt.machine;
    if !delay.is_zero() {
        attempt.outer.within(machine.run, machine.run.sleep(delay)).await?;
    }
    machine.on.machine.reboot(machine.run, BACK).await.map_err(|error| {
        let help = error.help_text().unwrap_or("Look at the machine's console.").to_owned();
        Error::new(error.kind(), "could not restart the machine").because(error).help(help)
    })
}

/// Installs the updates of the machine's package manager.
pub(super) async fn update(attempt: &Attempt<'_>, inputs: Inputs<'_>, output: &mut dyn OutputSink) -> Result<()> {
    let list = |name: &str| inputs.texts(name).into_iter().map(quote).collect::<Vec<_>>().join(" ");
    let script = format!(
        "{}\nupdate_excludes() {{ set -- {}; \"$run\" \"$@\"; }}\nset -- {}\nupdate \"$@\"\n",
        include_str!("update.sh"),
        list("exclude"),
        list("include"),
    );
    let ended = attempt.machine.script("sh", &script, attempt.deadline, output).await?;
    match ended.exit {
        Exit::Status(0) => Ok(()),
        Exit::Status(99) => Err(Error::build("the machine has neither apt-get nor dnf nor yum")),
        exit => {
            let error = broken(&exit, attempt.deadline);
            Err(match ended.words {
                Some(words) => error.because(words),
                None => error,
            })
        }
    }
}
