//! Restarts a machine and waits until it is back with another boot id.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::boot::{REBOOT, restarted};
use tokio::time::Instant;

use super::handle::AwsMachine;
use super::{boot, connect};

/// Help for a machine that does not come back.
const HELP: &str = "See its serial console in the EC2 console, or increase `timeout`.";

/// Restarts the machine. The guest restarts itself, some 20 s faster than EC2's RebootInstances, which asks the guest
/// first as well.
pub(crate) async fn reboot(machine: &AwsMachine, run: &Run, timeout: Duration) -> Result<()> {
    let ssh = machine
        .communicator()
        .ok_or_else(|| Error::internal(format!("could not restart {}: no connection to it was made", machine.id)))?;
    let deadline = Instant::now() + timeout;
    let before = ssh.boot_id().await?;
    let mut output = Collect::default();
    let asked = ssh.exec(Exec::new(REBOOT).timeout(Duration::from_secs(30)), &mut output).await?;
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
    let name = machine.in_words();
    tokio::select! {
        biased;
        ended = connect::end(machine, run, timeout * 2) => return Err(ended),
        back = restarted(&ssh, &before, &name, timeout, deadline) => {
            back.map_err(|error| if error.help_text().is_some() { error } else { error.help(HELP) })?;
        }
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
