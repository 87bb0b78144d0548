//! Terminates machines.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Result, Run};

use super::handle::AwsMachine;
use super::instance::{self, Instance};
use super::machines::Machines;
use super::network;
use crate::client::ledger::MACHINE;
use crate::client::{Client, Failure, filter};

/// Time limit for moving the machine out of its group (three small calls), after which it is terminated anyway.
const LEAVE: Duration = Duration::from_millis(1500);

/// Terminates the machine without shutting down its operating system: its disk is not needed any more. Its interface
/// leaves the bake's own group first, so that the group can be deleted at once.
pub(crate) async fn terminate(machine: &AwsMachine, run: &Run) -> Result<()> {
    request(machine, run, true).await
}

/// Terminates the machine after a capture. The group is deleted at the end of the run, when this machine is long gone,
/// so its interface need not leave it.
pub(crate) async fn terminate_captured(machine: &AwsMachine, run: &Run) -> Result<()> {
    request(machine, run, false).await
}

async fn request(machine: &AwsMachine, run: &Run, leave_group: bool) -> Result<()> {
    let first = machine.with_state(|state| {
        state.dial = None;
        !std::mem::replace(&mut state.terminated, true)
    });
    if !first {
        return Ok(());
    }
    let accepted = if leave_group {
        terminate_id(&machine.machines, run, &machine.id, Some(machine.instance())).await
    } else {
        terminate_instance(machine.client(), &machine.id).await
    };
    if let Err(failure) = accepted {
        machine.with_state(|state| state.terminated = false);
        return Err(machine.client().explain(*failure, &format!("terminate {}", machine.in_words())).await);
    }
    run.ledger().close_id(MACHINE, &machine.id, Closed::Deleted);
    Ok(())
}

/// Terminates a machine by its ID. Its interface leaves the bake's own group first if possible, so that the group can
/// be deleted while the machine shuts down. A missing machine is success.
pub(crate) async fn terminate_id(
    machines: &Machines,
    run: &Run,
    id: &str,
    known: Option<Instance>,
) -> Result<(), Box<Failure>> {
    // A call that hangs must not keep the machine alive.
    tokio::select! {
        () = leave_group(machines, run, id, known) => {}
        () = run.clock().sleep(LEAVE) => {}
    }
    terminate_instance(machines.client(), id).await
}

/// Calls TerminateInstances and skips the guest's own shutdown: nothing on its disks is needed any more.
async fn terminate_instance(client: &Client, id: &str) -> Result<(), Box<Failure>> {
    let request = || client.ec2.terminate_instances().instance_ids(id);
    let asked = match client.ask("TerminateInstances", request().skip_os_shutdown(true).send()).await {
        // Some instance types don't support skipping the shutdown.
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

/// Moves the interface to the VPC's default group. If that fails, the group is deleted later.
async fn leave_group(machines: &Machines, run: &Run, id: &str, known: Option<Instance>) {
    let moved = async {
        let known = known.filter(|instance| instance.interface.is_some() && instance.vpc.is_some());
        let instance = if known.is_some() {
            known
        } else {
            let filters = vec![filter("instance-id", id)];
            instance::describe(machines.client(), filters, "look up the machine").await?.into_iter().next()
        };
        let Some(instance) = instance.filter(Instance::in_own_group) else { return Ok(()) };
        let (Some(interface), Some(vpc)) = (&instance.interface, &instance.vpc) else { return Ok(()) };
        let default = network::default_group(machines, run, vpc).await?;
        move_interface(machines.client(), interface, &default).await
    };
    if let Err(error) = moved.await {
        tracing::debug!(%error, machine = id, "its security group is deleted after it is terminated");
    }
}

/// Moves every interface that is in the group to its VPC's default group, so that the group can be deleted.
pub(super) async fn free_group(machines: &Machines, run: &Run, group: &str) -> Result<()> {
    let client = machines.client();
    let request = client.ec2.describe_network_interfaces().filters(filter("group-id", group)).send();
    let doing = format!("list the interfaces of the security group {group}");
    let answer = client.call("DescribeNetworkInterfaces", &doing, request).await?;
    for interface in answer.network_interfaces() {
        if let (Some(id), Some(vpc)) = (interface.network_interface_id(), interface.vpc_id()) {
            move_interface(client, id, &network::default_group(machines, run, vpc).await?).await?;
        }
    }
    Ok(())
}

async fn move_interface(client: &Client, interface: &str, group: &str) -> Result<()> {
    let request = client.ec2.modify_network_interface_attribute().network_interface_id(interface).groups(group).send();
    let doing = format!("move the interface {interface} to the default group");
    client.call("ModifyNetworkInterfaceAttribute", &doing, request).await.map(|_| ())
}
