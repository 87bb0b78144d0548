//! Gives machines back.

use std::sync::Arc;

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Result, Run};

use super::{AwsMachine, network};
use crate::client::Client;
use crate::error::Failure;
use crate::platform::Inner;

/// Terminates the machine, waiting for nothing. With `detach` its interface leaves the bake's own group first, as far as
/// that goes, so that the group can be deleted while the machine still shuts down.
pub(super) async fn end(machine: &AwsMachine, run: &Run, detach: bool) -> Result<()> {
    let first = machine.with_state(|state| {
        state.dial = None;
        !std::mem::replace(&mut state.gone, true)
    });
    if !first {
        return Ok(());
    }
    if detach {
        leave_group(machine, run).await;
    }
    if let Err(failure) = terminate(&machine.aws.client, &machine.id).await {
        machine.with_state(|state| state.gone = false);
        return Err(machine.aws.client.explain(*failure, &format!("terminate {}", machine.in_words())).await);
    }
    run.ledger().close_id("instance", &machine.id, Closed::Deleted)
}

/// TerminateInstances without the guest's own shutdown: nothing on its disks is needed any more. Not being there is
/// success.
pub(super) async fn terminate(client: &Arc<Client>, id: &str) -> Result<(), Box<Failure>> {
    let request = || client.ec2.terminate_instances().instance_ids(id);
    let asked = match client.ask("TerminateInstances", request().skip_os_shutdown(true).send()).await {
        // Some instance types don't know the shortcut.
        Err(failure) if failure.is(&["UnsupportedOperation", "InvalidParameterCombination", "UnknownParameter"]) => {
            client.ask("TerminateInstances", request().send()).await
        }
        asked => asked,
    };
    match asked {
        Ok(_) => Ok(()),
        Err(failure) if failure.not_found() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Moves the interface to the VPC's default group. A refusal only means that the group goes later.
async fn leave_group(machine: &AwsMachine, run: &Run) {
    let instance = machine.instance();
    let (Some(_), Some(interface), Some(vpc)) = (&machine.group, &instance.interface, &instance.vpc) else { return };
    let moved = async {
        let default = network::default_group(&machine.aws, run, vpc).await?;
        move_interface(&machine.aws, interface, &default).await
    };
    if let Err(error) = moved.await {
        tracing::debug!(%error, machine = machine.id, "its group goes when it is terminated");
    }
}

async fn move_interface(aws: &Inner, interface: &str, group: &str) -> Result<()> {
    let request =
        aws.client.ec2.modify_network_interface_attribute().network_interface_id(interface).groups(group).send();
    let doing = format!("move the interface {interface} to the default group");
    aws.client.call("ModifyNetworkInterfaceAttribute", &doing, request).await.map(|_| ())
}
