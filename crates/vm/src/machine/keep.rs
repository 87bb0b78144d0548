//! Keeps a machine of a failed bake for debugging.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator as _, Exec};
use ami_bake_core::output::Collect;
use ami_bake_core::platform::Keep;
use ami_bake_core::{Error, Result, Run};
use ami_bake_local::MachineInfo;
use ami_bake_ssh::PublicKey;
use jiff::SignedDuration;

use super::state::VmState;
use crate::qemu::CONSOLE;

/// Time for which a kept machine stays.
const KEPT: Duration = Duration::from_hours(2);
/// Time limit for authorizing the user's key.
const PATIENCE: Duration = Duration::from_mins(1);
/// Adds a key for the login user.
const APPEND: &str = "home=$(getent passwd \"${SUDO_USER:-root}\" | cut -d: -f6) && mkdir -p \"$home/.ssh\" && \
                      cat >>\"$home/.ssh/authorized_keys\"";

/// Writes the private key to a file, lets the machine run for two hours from now, and returns how to log in.
pub(super) async fn keep(state: &VmState, run: &Run, how: &Keep) -> Result<String> {
    let qemu = state.qemu()?;
    let folder = &how.folder;
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::build(format!("could not create the folder {}", folder.display())).because(error))?;
    let until = run
        .clock()
        .now()
        .checked_add(SignedDuration::try_from(KEPT).unwrap_or_default())
        .map_err(|error| Error::internal("could not compute when the machine expires").because(error))?;
    let path = folder.join(format!("{}.key", state.id));
    let ssh = state.running().ssh.clone();
    let line = if let Some(ssh) = &ssh {
        if let Some(key) = &how.key {
            authorize(ssh, key).await?;
        }
        ssh.write_key(&path)?;
        ssh.ssh_line(&path)
    } else {
        if let Some(key) = state.access.login.first() {
            key.write(&path)?;
        }
        let console = state.path().join(CONSOLE);
        format!(
            "ssh -i {} -p {} {}@127.0.0.1 # console: {};",
            path.display(),
            state.port(),
            state.user,
            console.display()
        )
    };
    MachineInfo { kept: Some(until), ..state.info.clone() }.write(state.path())?;
    qemu.keep(KEPT).await?;
    // As a shell comment, so that the whole line can be pasted.
    Ok(format!("{line} # it ends in two hours, or with `sudo poweroff` in it"))
}

/// Authorizes the user's key for the login user.
async fn authorize(ssh: &ami_bake_ssh::Ssh, key: &str) -> Result<()> {
    let line = format!("{}\n", PublicKey::parse(key)?.line());
    let mut answer = Collect::default();
    let exit = ssh.exec(Exec::new(APPEND).stdin(line.as_bytes()).timeout(PATIENCE), &mut answer).await?;
    if exit.success() {
        return Ok(());
    }
    Err(Error::build(format!("could not authorize the --debug-key: {}", answer.stderr_text().trim())))
}
