//! Restarts a machine and waits until it is back with another boot id.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::duration::human;
use ami_bake_core::output::Collect;
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::Ssh;
use tokio::time::Instant;

use super::handle::AwsMachine;
use super::{boot, connect};

/// Restarts the guest itself: some 20 s faster than EC2's RebootInstances, which asks the guest first as well.
const COMMAND: &str = "systemctl reboot || reboot || shutdown -r now";
const PAUSE: Duration = Duration::from_millis(300);

/// Restarts the machine.
pub(crate) async fn reboot(machine: &AwsMachine, run: &Run, timeout: Duration) -> Result<()> {
    let ssh = machine
        .communicator()
        .ok_or_else(|| Error::internal(format!("could not restart {}: no connection to it was made", machine.id)))?;
    let deadline = Instant::now() + timeout;
    let before = ssh.boot_id().await?;
    let mut output = Collect::default();
    let asked = ssh.exec(Exec::new(COMMAND).timeout(Duration::from_secs(30)), &mut output).await?;
    if let Exit::Status(status) = asked
        && status != 0
    {
        run.progress(format!(
            "Restarting {} through EC2: its own restart command failed (status {status})",
            machine.id
        ));
        let request = machine.client().ec2.reboot_instances().instance_ids(&machine.id).send();
        machine.client().call("RebootInstances", &format!("restart {}", machine.in_words()), request).await?;
    }
    tokio::select! {
        biased;
        ended = connect::end(machine, run, timeout * 2) => return Err(ended),
        back = back(machine, &ssh, &before, deadline, timeout) => back?,
    }
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(30));
    boot::prepare(machine, run, &ssh, left).await
}

/// Reconnects after a restart that somebody else requested. The timer was lost with the previous boot, so it is armed
/// again.
pub(crate) async fn recover(machine: &AwsMachine, run: &Run, timeout: Duration) -> Result<()> {
    let ssh = machine.communicator().ok_or_else(|| {
        Error::internal(format!("could not reconnect to {}: no connection to it was made", machine.id))
    })?;
    tokio::select! {
        biased;
        ended = connect::end(machine, run, timeout * 2) => return Err(ended),
        back = ssh.reconnect(Instant::now() + timeout) => back?,
    }
    boot::prepare(machine, run, &ssh, timeout.max(Duration::from_secs(30))).await
}

/// Waits for a new boot id: the first answers may still come from the system that is shutting down.
async fn back(machine: &AwsMachine, ssh: &Ssh, before: &str, deadline: Instant, timeout: Duration) -> Result<()> {
    loop {
        // A new connection shows which boot it is; a lost one in between is part of a restart.
        match ssh.reconnect(deadline).await {
            Ok(()) => {
                if let Ok(now) = ssh.boot_id().await
                    && now != before
                {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ami_bake_core::ErrorKind::Cancelled => return Err(error),
            Err(error) if Instant::now() >= deadline => {
                return Err(Error::build(format!(
                    "{} did not come back within {} after its restart",
                    machine.in_words(),
                    human(timeout)
                ))
                .because(error)
                .help("See its serial console in the EC2 console, or increase `timeout`."));
            }
            // Waiting does not help against other errors, such as a wrong host key.
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(Error::build(format!("{} has not restarted after {}", machine.in_words(), human(timeout)))
                .help("Something delays the shutdown: see `systemctl list-jobs` on the machine."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
