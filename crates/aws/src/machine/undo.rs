//! Undoes one ledger entry of a launch.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::Entry;
use ami_bake_core::platform::Undo;
use ami_bake_core::{Result, Run};

use super::launch::by_token;
use super::network::find_group;
use super::{profile, terminate};
use crate::client::Client;
use crate::platform::Inner;

/// A machine whose answer was lost shows up within this many looks.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Asks for the deletion of what the entry stands for; waits for nothing. Not being there is success.
pub(crate) async fn undo(aws: &Inner, run: &Run, entry: &Entry) -> Result<Undo> {
    match entry.kind.as_str() {
        "instance" => instance(aws, run, entry).await,
        "key-pair" => key_pair(&aws.client, entry).await,
        "security-group" => security_group(aws, entry).await,
        "instance-profile" => instance_profile(&aws.client, entry).await,
        "role" => role(&aws.client, entry).await,
        kind => Ok(Undo::Later(format!("this version of ami-bake does not know how to delete a {kind}"))),
    }
}

async fn instance(aws: &Inner, run: &Run, entry: &Entry) -> Result<Undo> {
    let id = match &entry.id {
        Some(id) => id.clone(),
        None => match found(aws, run, &entry.find_by).await? {
            Some(id) => id,
            None => return Ok(Undo::Done),
        },
    };
    match terminate::terminate(&aws.client, &id).await {
        Ok(()) => Ok(Undo::Done),
        Err(failure) if failure.is(&["OperationNotPermitted"]) => {
            Ok(Undo::Later(format!("the machine {id} is protected against termination: {}", failure.text())))
        }
        Err(failure) => Err(aws.client.explain(*failure, &format!("terminate the machine {id}")).await),
    }
}

/// The machine that was started under this token. A lost answer's machine may not be visible at once.
async fn found(aws: &Inner, run: &Run, token: &str) -> Result<Option<String>> {
    for look in 0..LOOKS {
        if look > 0 {
            run.clock().sleep(PAUSE).await;
        }
        if let Some(instance) = by_token(aws, token).await? {
            return Ok(Some(instance.id));
        }
    }
    Ok(None)
}

async fn key_pair(client: &Arc<Client>, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    let request = client.ec2.delete_key_pair().key_name(name).send();
    match client.ask("DeleteKeyPair", request).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) => Err(client.explain(*failure, &format!("delete the key pair {name}")).await),
    }
}

async fn security_group(aws: &Inner, entry: &Entry) -> Result<Undo> {
    let client = &aws.client;
    let id = match entry.id.clone().filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => match find_group(aws, &entry.find_by).await? {
            Some(id) => id,
            None => return Ok(Undo::Done),
        },
    };
    let request = client.ec2.delete_security_group().group_id(&id).send();
    match client.ask("DeleteSecurityGroup", request).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["DependencyViolation", "InvalidGroup.InUse"]) => {
            Ok(Undo::Later(format!("the security group {id} is held by a machine that still shuts down")))
        }
        Err(failure) => Err(client.explain(*failure, &format!("delete the security group {id}")).await),
    }
}

async fn instance_profile(client: &Arc<Client>, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    let doing = format!("delete the instance profile {name}");
    let request = client.iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(name).send();
    match client.ask("RemoveRoleFromInstanceProfile", request).await {
        Ok(_) => {}
        Err(failure) if failure.not_found() => {}
        Err(failure) => return Err(client.explain(*failure, &doing).await),
    }
    let request = client.iam.delete_instance_profile().instance_profile_name(name).send();
    match client.ask("DeleteInstanceProfile", request).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["DeleteConflict", "DeleteConflictException"]) => {
            Ok(Undo::Later(format!("the instance profile {name} still holds its role")))
        }
        Err(failure) => Err(client.explain(*failure, &doing).await),
    }
}

async fn role(client: &Arc<Client>, entry: &Entry) -> Result<Undo> {
    let name = &entry.find_by;
    let doing = format!("delete the role {name}");
    // Whichever of the two entries comes first takes the role out of the profile of the same name.
    let request = client.iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(name).send();
    match client.ask("RemoveRoleFromInstanceProfile", request).await {
        Ok(_) => {}
        Err(failure) if failure.not_found() => {}
        Err(failure) => return Err(client.explain(*failure, &doing).await),
    }
    let request = client.iam.delete_role_policy().role_name(name).policy_name(profile::POLICY).send();
    match client.ask("DeleteRolePolicy", request).await {
        Ok(_) => {}
        Err(failure) if failure.not_found() => {}
        Err(failure) => return Err(client.explain(*failure, &doing).await),
    }
    let request = client.iam.delete_role().role_name(name).send();
    match client.ask("DeleteRole", request).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["DeleteConflict", "DeleteConflictException"]) => {
            Ok(Undo::Later(format!("the role {name} is still held by its instance profile")))
        }
        Err(failure) => Err(client.explain(*failure, &doing).await),
    }
}
