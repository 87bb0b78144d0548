//! Stops and discards a machine.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator as _, Exec};
use ami_bake_core::duration::human;
use ami_bake_core::output::Collect;
use ami_bake_core::{Error, Result, Run};

use super::boot;
use super::state::VmState;
use crate::qemu::Ended;

/// Switches the guest off with any init system. It does not wait, because the end takes the connection with it.
const POWER_OFF: &str = "if command -v systemctl >/dev/null 2>&1; then systemctl --no-block poweroff; \
                         else (sleep 1; poweroff || shutdown -h now || halt -p) >/dev/null 2>&1 </dev/null & fi";
/// Time limit for the command.
const COMMAND: Duration = Duration::from_secs(30);
/// Time limit for the guest to stop its services.
const LIMIT: Duration = Duration::from_mins(10);

/// Switches the machine off as its own system does it, so that its file systems are unmounted, and waits for the end.
///
/// # Errors
/// When the machine does not switch itself off, or ends otherwise.
pub(super) async fn power_off(state: &VmState, run: &Run) -> Result<()> {
    let qemu = state.qemu()?;
    let ssh = state.running().ssh.clone();
    let asked = match &ssh {
        Some(ssh) => {
            let exec = Exec::new(POWER_OFF).timeout(COMMAND);
            let mut output = Collect::default();
            tokio::select! {
                // The machine may be off before the command answers.
                _ = qemu.ended() => true,
                exit = ssh.exec(exec, &mut output) => exit.is_ok_and(|exit| exit.success()),
            }
        }
        None => false,
    };
    if !asked {
        qemu.power_button().await?;
    }
    let what = format!("{} to switch off", state.id);
    let off = run.waiting(&what, tokio::time::timeout(LIMIT, qemu.ended()));
    match run.until_cancelled(off).await? {
        Ok(Ended::PoweredOff) => Ok(()),
        Ok(_) => Err(boot::end(state, &qemu).await),
        Err(_) => Err(Error::build(format!("{} did not switch itself off within {}", state.name(), human(LIMIT)))
            .help("Something delays the shutdown: see `systemctl list-jobs` on the machine.")),
    }
}

/// Ends the machine at once and removes its folder. May be called twice.
pub(crate) async fn discard(state: &VmState) -> Result<()> {
    let (qemu, ssh) = {
        let mut running = state.running();
        running.metadata = None;
        (running.qemu.take(), running.ssh.take())
    };
    drop(ssh);
    if let Some(qemu) = qemu {
        qemu.kill().await?;
    }
    state.images.discard_machine(&state.id)
}
