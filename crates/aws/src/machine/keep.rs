//! Keeps a machine of a failed bake for debugging.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec};
use ami_bake_core::ledger::Closed;
use ami_bake_core::output::Collect;
use ami_bake_core::platform::Keep;
use ami_bake_core::{Error, Result, Run, tags};
use ami_bake_ssh::PublicKey;
use aws_sdk_ec2::types::Tag;

use super::boot;
use super::handle::AwsMachine;
use crate::client::ledger::{MACHINE, SECURITY_GROUP};
use crate::image::expiring;

/// Time for which a kept machine stays.
const KEPT: Duration = Duration::from_hours(2);
/// Time limit for authorizing the user's key.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the private key to a file, extends the machine's lifetime to two hours from now, and returns how to log in.
pub(crate) async fn keep(machine: &AwsMachine, run: &Run, how: &Keep) -> Result<String> {
    let Keep { folder, key } = how;
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::build(format!("could not create the folder {}", folder.display())).because(error))?;
    let path = folder.join(format!("{}.key", machine.id));
    let instance = machine.instance();
    let ssh = machine.communicator();
    match (&ssh, machine.access.login.first()) {
        (Some(ssh), _) => ssh.write_key(&path)?,
        (None, Some(key)) => key.write(&path)?,
        (None, None) => {}
    }
    let line = if let Some(ssh) = &ssh {
        ssh.ssh_line(&path)
    } else {
        let address = machine.access.address(&instance, true).unwrap_or_else(|| machine.id.clone());
        format!("ssh -i {} {}@{address}", path.display(), machine.user())
    };
    // The resources that a login needs stay with the machine; sweep deletes all of them after the same time.
    let mut resources = vec![machine.id.clone()];
    resources.extend(machine.group.clone());
    resources.extend(instance.volumes.iter().map(|(_, volume)| volume.clone()));
    let request = machine
        .client()
        .ec2
        .create_tags()
        .set_resources(Some(resources))
        .tags(Tag::builder().key(tags::EXPIRES).value(expiring(run, KEPT)).build())
        .send();
    machine.client().call("CreateTags", &format!("keep {} for two hours", machine.in_words()), request).await?;
    run.ledger().close_id(MACHINE, &machine.id, Closed::Kept);
    if let Some(group) = &machine.group {
        run.ledger().close_id(SECURITY_GROUP, group, Closed::Kept);
    }
    if let (Some(key), Some(ssh)) = (key, &ssh) {
        authorize(ssh.as_ref(), key).await?;
    }
    let armed = match &ssh {
        Some(ssh) => boot::arm(ssh, KEPT).await.unwrap_or(false),
        None => false,
    };
    let end = if armed {
        "it terminates itself in two hours".to_owned()
    } else {
        format!(
            "terminate it with: aws ec2 terminate-instances --instance-ids {} --region {}",
            machine.id,
            machine.client().region()
        )
    };
    // As a shell comment, so that the whole line can be pasted.
    Ok(format!("{line} # {end}"))
}

/// Authorizes the user's key for the login user.
async fn authorize(machine: &dyn Communicator, key: &str) -> Result<()> {
    const APPEND: &str = "home=$(getent passwd \"${SUDO_USER:-root}\" | cut -d: -f6) && mkdir -p \"$home/.ssh\" && \
                          cat >>\"$home/.ssh/authorized_keys\"";
    let line = format!("{}\n", PublicKey::parse(key)?.line());
    let mut answer = Collect::default();
    let exit = machine.exec(Exec::new(APPEND).stdin(line.as_bytes()).timeout(PATIENCE), &mut answer).await?;
    if exit.success() {
        return Ok(());
    }
    Err(Error::build(format!("could not authorize the --debug-key: {}", answer.stderr_text().trim())))
}
