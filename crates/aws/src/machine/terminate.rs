//! Gives machines back.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::{Result, Run};

use super::{AwsMachine, Instance, instance, network};
use crate::client::Client;
use crate::error::Failure;
use crate::image::filter;
use crate::platform::Inner;

/// What leaving the group may take before the machine is terminated all the same: three small calls.
const LEAVE: Duration = Duration::from_millis(1500);

/// Terminates the machine, waiting for nothing. With `leave` its interface leaves the bake's own group first.
pub(super) async fn end(machine: &AwsMachine, run: &Run, leave: bool) -> Result<()> {
    let first = machine.with_state(|state| {
        state.dial = None;
        !std::mem::replace(&mut state.gone, true)
    });
    if !first {
        return Ok(());
    }
    let given = if leave {
        give_back(&machine.aws, run, &machine.id, Some(machine.instance())).await
    } else {
        terminate(&machine.aws.client, &machine.id).await
    };
    if let Err(failure) = given {
        machine.with_state(|state| state.gone = false);
        return Err(machine.aws.client.explain(*failure, &format!("terminate {}", machine.in_words())).await);
    }
    run.ledger().close_id(MACHINE, &machine.id, Closed::Deleted)
}

/// Terminates a machine. Its interface leaves the bake's own group first, as far as that goes, so that the group can be
/// deleted while the machine still shuts down. Not being there is success.
pub(crate) async fn give_back(aws: &Inner, run: &Run, id: &str, known: Option<Instance>) -> Result<(), Box<Failure>> {
    // A call that hangs must not keep the machine alive.
    tokio::select! {
        () = leave_group(aws, run, id, known) => {}
        () = run.clock().sleep(LEAVE) => {}
    }
    terminate(&aws.client, id).await
}

/// TerminateInstances without the guest's own shutdown: nothing on its disks is needed any more.
async fn terminate(client: &Arc<Client>, id: &str) -> Result<(), Box<Failure>> {
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
async fn leave_group(aws: &Inner, run: &Run, id: &str, known: Option<Instance>) {
    let moved = async {
        let known = known.filter(|instance| instance.interface.is_some() && instance.vpc.is_some());
        let instance = if known.is_some() {
            known
        } else {
            let filters = vec![filter("instance-id", id)];
            instance::describe(&aws.client, filters, "look at the machine").await?.into_iter().next()
        };
        let Some(instance) = instance.filter(Instance::in_own_group) else { return Ok(()) };
        let (Some(interface), Some(vpc)) = (&instance.interface, &instance.vpc) else { return Ok(()) };
        let default = network::default_group(aws, run, vpc).await?;
        move_interface(aws, interface, &default).await
    };
    if let Err(error) = moved.await {
        tracing::debug!(%error, machine = id, "its group goes when it is terminated");
    }
}

/// Moves every interface that still holds the group to its VPC's default group, so that the group can be deleted.
pub(super) async fn free_group(aws: &Inner, run: &Run, group: &str) -> Result<()> {
    let request = aws.client.ec2.describe_network_interfaces().filters(filter("group-id", group)).send();
    let doing = format!("find what holds the security group {group}");
    let answer = aws.client.call("DescribeNetworkInterfaces", &doing, request).await?;
    for interface in answer.network_interfaces() {
        if let (Some(id), Some(vpc)) = (interface.network_interface_id(), interface.vpc_id()) {
            move_interface(aws, id, &network::default_group(aws, run, vpc).await?).await?;
        }
    }
    Ok(())
}

async fn move_interface(aws: &Inner, interface: &str, group: &str) -> Result<()> {
    let request =
        aws.client.ec2.modify_network_interface_attribute().network_interface_id(interface).groups(group).send();
    let doing = format!("move the interface {interface} to the default group");
    aws.client.call("ModifyNetworkInterfaceAttribute", &doing, request).await.map(|_| ())
}
