//! Undoes one ledger entry of a launch.

use std::time::Duration;

use ami_bake_core::ledger::Entry;
use ami_bake_core::platform::Undo;
use ami_bake_core::{Error, Result, Run};

use super::instance::by_token;
use super::machines::Machines;
use super::network::find_group;
use super::profile;
use super::terminate::{free_group, terminate_id};
use crate::client::ledger::{INSTANCE_PROFILE, KEY_PAIR, MACHINE, ROLE, SECURITY_GROUP};
use crate::client::{Client, Failure};

/// Number of look-ups for a machine whose answer was lost.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Pauses before deleting a group that is in use: its machines leave it at the same time.
const HELD: [Duration; 5] = [Duration::from_millis(300); 5];

/// Requests the deletion of the entry's resource without waiting. A missing resource is success.
pub(crate) async fn undo(machines: &Machines, run: &Run, entry: &Entry) -> Result<Undo> {
    match entry.kind.as_str() {
        MACHINE => instance(machines, run, entry).await,
        KEY_PAIR => key_pair(machines.client(), entry).await,
        SECURITY_GROUP => security_group(machines, run, entry).await,
        INSTANCE_PROFILE => instance_profile(machines.client(), entry).await,
        ROLE => role(machines.client(), entry).await,
        kind => Ok(Undo::Later(format!("this version of ami-bake can't delete a {kind}"))),
    }
}

async fn instance(machines: &Machines, run: &Run, entry: &Entry) -> Result<Undo> {
    let id = match &entry.id {
        Some(id) => id.clone(),
        None => match found(machines.client(), run, &entry.find_by).await? {
            Some(id) => id,
            None => return Ok(Undo::Done),
        },
    };
    match terminate_id(machines, run, &id, None).await {
        Ok(()) => Ok(Undo::Done),
        Err(failure) if failure.is(&["OperationNotPermitted"]) => Err(Error::build(format!(
            "could not terminate the machine {id}: it has termination protection: {}",
            failure.text()
        ))
        .help("Turn the protection off (`aws ec2 modify-instance-attribute --no-disable-api-termination`).")
        .denied()),
        Err(failure) => Err(machines.client().explain(*failure, &format!("terminate the machine {id}")).await),
    }
}

/// The machine that was launched with this token. It may not be visible at once if the answer was lost.
async fn found(client: &Client, run: &Run, token: &str) -> Result<Option<String>> {
    for look in 0..LOOKS {
        if look > 0 {
            run.clock().sleep(PAUSE).await;
        }
        if let Some(instance) = by_token(client, token).await? {
            return Ok(Some(instance.id));
        }
    }
    Ok(None)
}

async fn key_pair(client: &Client, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    // Sweep only has the ID. For unknown names EC2 reports success.
    let request = client.ec2.delete_key_pair();
    let request = if name.starts_with("key-") { request.key_pair_id(name) } else { request.key_name(name) };
    match client.ask("DeleteKeyPair", request.send()).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) => Err(client.explain(*failure, &format!("delete the key pair {name}")).await),
    }
}

async fn security_group(machines: &Machines, run: &Run, entry: &Entry) -> Result<Undo> {
    let client = machines.client();
    let id = match entry.id.clone().filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => match find_group(client, &entry.find_by).await? {
            Some(id) => id,
            None => return Ok(Undo::Done),
        },
    };
    let mut pauses = HELD.iter();
    loop {
        let request = client.ec2.delete_security_group().group_id(&id).send();
        match client.ask("DeleteSecurityGroup", request).await {
            Ok(_) => return Ok(Undo::Done),
            Err(failure) if failure.not_found() => return Ok(Undo::Done),
            Err(failure) if failure.is(&["DependencyViolation", "InvalidGroup.InUse"]) => {
                let Some(pause) = pauses.next() else {
                    let why = format!("the security group {id} is still used by a machine that is shutting down");
                    return Ok(Undo::Held { by: MACHINE, why });
                };
                // Used by a machine that was terminated after its capture, or that did not leave the group in time.
                if let Err(error) = free_group(machines, run, &id).await {
                    tracing::debug!(%error, group = id, "the group is deleted after the machine that uses it");
                }
                run.clock().sleep(*pause).await;
            }
            Err(failure) => return Err(client.explain(*failure, &format!("delete the security group {id}")).await),
        }
    }
}

async fn instance_profile(client: &Client, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    let doing = format!("delete the instance profile {name}");
    take_out(client, name, &doing).await?;
    let request = client.iam.delete_instance_profile().instance_profile_name(name).send();
    let held = format!("the instance profile {name} still has its role");
    gone(client, client.ask("DeleteInstanceProfile", request).await, &doing, Undo::Later(held)).await
}

async fn role(client: &Client, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    let doing = format!("delete the role {name}");
    take_out(client, name, &doing).await?;
    let request = client.iam.delete_role_policy().role_name(name).policy_name(profile::POLICY).send();
    match client.ask("DeleteRolePolicy", request).await {
        Ok(_) => {}
        Err(failure) if failure.not_found() => {}
        Err(failure) => return Err(client.explain(*failure, &doing).await),
    }
    let request = client.iam.delete_role().role_name(name).send();
    let why = format!("the role {name} is still in its instance profile");
    let held = Undo::Held { by: INSTANCE_PROFILE, why };
    gone(client, client.ask("DeleteRole", request).await, &doing, held).await
}

/// Removes the role from the profile of the same name; whichever of their two entries is undone first does this.
async fn take_out(client: &Client, name: &str, doing: &str) -> Result<()> {
    let request = client.iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(name).send();
    match client.ask("RemoveRoleFromInstanceProfile", request).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.not_found() => Ok(()),
        Err(failure) => Err(client.explain(*failure, doing).await),
    }
}

async fn gone<T>(client: &Client, asked: Result<T, Box<Failure>>, doing: &str, held: Undo) -> Result<Undo> {
    match asked {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["DeleteConflict", "DeleteConflictException"]) => Ok(held),
        Err(failure) => Err(client.explain(*failure, doing).await),
    }
}
