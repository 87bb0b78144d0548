//! Prepares a machine after each of its boots: arms the self-termination timer and waits for cloud-init.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::duration::human;
use ami_bake_core::output::{Collect, sanitize};
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::Ssh;

use super::handle::AwsMachine;

/// Minimum time until self-termination after a restart, unless the machine's whole lifetime is shorter.
const LEAST: Duration = Duration::from_mins(5);

/// Script that arms the timer. The unit lives in /run, so it is in no image. Without systemd a sleeping process does
/// the same.
const ARM: &str = r#"
arm() {
    if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then
        systemctl stop ami-bake-deadman.timer >/dev/null 2>&1
        systemd-run --quiet --unit=ami-bake-deadman --on-active="$1"s --timer-property=AccuracySec=1s systemctl poweroff ||
            systemd-run --quiet --unit="ami-bake-deadman-$$" --on-active="$1"s systemctl poweroff
    else
        [ -r /run/ami-bake-deadman.pid ] && kill "$(cat /run/ami-bake-deadman.pid)"
        ( trap '' HUP; sleep "$1"; poweroff || shutdown -h now || halt -p ) >/dev/null 2>&1 &
        echo $! > /run/ami-bake-deadman.pid
    fi
} </dev/null 2>/dev/null
"#;

/// Script that reads all folders ahead, for the search for secrets before the capture. The blocks of a new volume are
/// loaded from its snapshot at their first read, some 300 a second (docs/dev/aws.md, "First reads are slow").
const AHEAD: &str = r"
( trap '' HUP; nice -n 19 find / -xdev -cmin -1 ) </dev/null >/dev/null 2>&1 &
";

/// Script that waits for the end of the first boot. Without cloud-init there is nothing to wait for.
const WAIT: &str = r#"
if command -v cloud-init >/dev/null 2>&1; then
    said=$(cloud-init status --wait --long 2>&1 </dev/null)
    echo "cloud-init=$?"
    printf '%s\n' "$said"
fi
"#;

/// Arms the timer for the rest of the machine's lifetime and waits for cloud-init, in one round trip.
pub(super) async fn prepare(machine: &AwsMachine, run: &Run, ssh: &Ssh, limit: Duration) -> Result<()> {
    let lived = run.clock().elapsed().saturating_sub(machine.born);
    let left = machine.lifetime.saturating_sub(lived).max(LEAST.min(machine.lifetime));
    let ahead = if machine.access.sealed { AHEAD } else { "" };
    let script = format!("{ARM}\narm {} && echo armed\n{ahead}{WAIT}", left.as_secs());
    let mut output = Collect::default();
    let exec = Exec::new("sh -s").stdin(script.as_bytes()).timeout(limit);
    let exit = ssh.exec(exec, &mut output).await?;
    let text = output.stdout_text();
    match exit {
        Exit::Status(_) => {}
        Exit::TimedOut(limit) => {
            return Err(Error::build(format!(
                "cloud-init on {} did not finish within {}",
                machine.in_words(),
                human(limit)
            ))
            .help("Move work from the user data to build steps, or increase `connect: {timeout: …}`."));
        }
        Exit::Signal(_) | Exit::Lost(_) => {
            return Err(Error::build(format!("could not prepare {}: the connection was lost", machine.in_words())));
        }
    }
    if !text.lines().any(|line| line == "armed") {
        run.warn(
            format!("could not set the self-termination timer of {}", machine.id),
            Some("If this runner is lost, only `ami-bake sweep` terminates the machine.".to_owned()),
        );
    }
    check_cloud_init(machine, run, &text)
}

/// Arms the timer again.
pub(super) async fn arm(ssh: &Ssh, after: Duration) -> Result<bool> {
    let script = format!("{ARM}\narm {} && echo armed\n", after.as_secs());
    let mut output = Collect::default();
    ssh.exec(Exec::new("sh -s").stdin(script.as_bytes()).timeout(Duration::from_secs(30)), &mut output).await?;
    Ok(output.stdout_text().lines().any(|line| line == "armed"))
}

/// Checks cloud-init's exit status: 1 is an error, 2 a recoverable one
/// (<https://docs.cloud-init.io/en/latest/explanation/failure_states.html>).
fn check_cloud_init(machine: &AwsMachine, run: &Run, text: &str) -> Result<()> {
    let Some((status, said)) = cloud_init_status(text) else { return Ok(()) };
    if status == 0 {
        return Ok(());
    }
    let said: Vec<String> = said.lines().map(sanitize).filter(|line| !line.trim().is_empty()).collect();
    let said = said.join("\n");
    // Failures of the manifest's own user data fail the bake; those of the image's publisher do not.
    if status == 1 && machine.settings.user_data.is_some() {
        return Err(Error::build(format!(
            "the user data failed on {}; cloud-init reported\n{said}",
            machine.in_words()
        ))
        .help("See /var/log/cloud-init-output.log on the machine; `--keep-on-failure` keeps the machine."));
    }
    run.warn(
        format!("cloud-init on {} ended with status {status}:\n{said}", machine.id),
        Some("The bake continues. See /var/log/cloud-init.log on the machine for details.".to_owned()),
    );
    Ok(())
}

/// cloud-init's exit status and message in the output of the script.
fn cloud_init_status(text: &str) -> Option<(i32, &str)> {
    let at = text.find("cloud-init=")?;
    let (status, said) = text[at + "cloud-init=".len()..].split_once('\n')?;
    Some((status.trim().parse().ok()?, said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_of_cloud_init_is_read() {
        assert_eq!(cloud_init_status("armed\ncloud-init=0\n....\nstatus: done\n"), Some((0, "....\nstatus: done")));
        assert_eq!(cloud_init_status("armed\ncloud-init=1\nstatus: error"), Some((1, "status: error")));
        assert_eq!(cloud_init_status("armed\n"), None);
    }
}
