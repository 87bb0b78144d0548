//! The end of a machine's boot: waits for cloud-init, and restarts.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::duration::human;
use ami_bake_core::output::{Collect, sanitize};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use tokio::time::Instant;

use crate::settle::{SETTLE, cloud_init_status, still_starting};
use crate::ssh::Ssh;

/// Restarts the guest with any init system.
pub const REBOOT: &str = "systemctl reboot || reboot || shutdown -r now";
/// Pause between two looks at a machine that restarts.
const PAUSE: Duration = Duration::from_millis(300);

/// Time for services to start after cloud-init is done, in seconds. Some never end their start.
const SERVICES: u64 = 120;

/// Runs the script `before` and waits for cloud-init, in one round trip; returns the output. `name` is the machine in
/// messages.
///
/// # Errors
/// When cloud-init does not end within `limit`, or the connection is lost.
pub async fn wait(ssh: &Ssh, before: &str, name: &str, limit: Duration) -> Result<String> {
    let script = format!("{before}settle={SERVICES}\n{SETTLE}");
    let mut output = Collect::default();
    let exec = Exec::new("sh -s").stdin(script.as_bytes()).timeout(limit);
    match ssh.exec(exec, &mut output).await? {
        Exit::Status(_) => Ok(output.stdout_text()),
        Exit::TimedOut(limit) => {
            Err(Error::build(format!("cloud-init on {name} did not finish within {}", human(limit)))
                .help("Move work from the user data to build steps, or increase `connect: {timeout: …}`."))
        }
        Exit::Signal(_) | Exit::Lost(_) => {
            Err(Error::build(format!("could not prepare {name}: the connection was lost")))
        }
    }
}

/// Checks cloud-init's exit status in the output of [`wait`]: 1 is an error, 2 a recoverable one
/// (<https://docs.cloud-init.io/en/latest/explanation/failure_states.html>). `own`: the manifest has user data of its own.
///
/// # Errors
/// When the manifest's own user data failed. Other failures are warnings.
pub fn check(run: &Run, text: &str, own: bool, id: &str, name: &str) -> Result<()> {
    if let Some(units) = still_starting(text) {
        run.warn(
            format!("{id} is still starting {units} after {SERVICES}s"),
            Some("The bake continues. See `systemctl list-jobs` on the machine.".to_owned()),
        );
    }
    let Some((status, said)) = cloud_init_status(text) else { return Ok(()) };
    if status == 0 {
        return Ok(());
    }
    let said: Vec<String> = said.lines().map(sanitize).filter(|line| !line.trim().is_empty()).collect();
    let said = said.join("\n");
    // Failures of the manifest's own user data fail the bake; those of the image's publisher do not.
    if status == 1 && own {
        return Err(Error::build(format!("the user data failed on {name}; cloud-init reported\n{said}"))
            .help("See /var/log/cloud-init-output.log on the machine; `--keep-on-failure` keeps the machine."));
    }
    run.warn(
        format!("cloud-init on {id} ended with status {status}:\n{said}"),
        Some("The bake continues. See /var/log/cloud-init.log on the machine for details.".to_owned()),
    );
    Ok(())
}

/// Waits until a restarted machine answers with a boot id other than `before`: the first answers may still come from the
/// system that is shutting down. `name` is the machine in messages.
///
/// # Errors
/// When the machine is not back at the deadline, which is `timeout` after the restart.
pub async fn restarted(ssh: &Ssh, before: &str, name: &str, timeout: Duration, deadline: Instant) -> Result<()> {
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
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) if Instant::now() >= deadline => {
                let message = format!("{name} did not come back within {} after its restart", human(timeout));
                return Err(Error::build(message).because(error));
            }
            // Waiting does not help against other errors, such as a wrong host key.
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(Error::build(format!("{name} has not restarted after {}", human(timeout)))
                .help("Something delays the shutdown: see `systemctl list-jobs` on the machine."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
