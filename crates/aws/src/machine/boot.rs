//! Prepares a machine after each of its boots: arms the self-termination timer and waits for cloud-init.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec};
use ami_bake_core::output::Collect;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::{Ssh, boot};

use super::handle::AwsMachine;
use super::timer;

/// Minimum time until self-termination after a restart, unless the machine's whole lifetime is shorter.
const LEAST: Duration = Duration::from_mins(5);

/// Script that reads all folders ahead, for the search for secrets before the capture. The blocks of a new volume are
/// loaded from its snapshot at their first read, some 300 a second (docs/dev/aws.md, "First reads are slow").
const AHEAD: &str = r"
( trap '' HUP; nice -n 19 find / -xdev -cmin -1 ) </dev/null >/dev/null 2>&1 &
";

/// Arms the timer for the rest of the machine's lifetime and waits for cloud-init, in one round trip.
pub(super) async fn prepare(machine: &AwsMachine, run: &Run, ssh: &Ssh, limit: Duration) -> Result<()> {
    let lived = run.clock().elapsed().saturating_sub(machine.born);
    let left = machine.lifetime.saturating_sub(lived).max(LEAST.min(machine.lifetime));
    let ahead = if machine.access.sealed { AHEAD } else { "" };
    let before = format!("{}{ahead}", timer::script(left, "echo armed"));
    let text = boot::wait(ssh, &before, &machine.in_words(), limit).await?;
    if !text.lines().any(|line| line == "armed") {
        timer::missing(run, &machine.id);
    }
    boot::check(run, &text, machine.settings.user_data.is_some(), &machine.id, &machine.in_words())
}

/// Arms the timer again.
pub(super) async fn arm(ssh: &Ssh, after: Duration) -> Result<bool> {
    let script = timer::script(after, "echo armed");
    let mut output = Collect::default();
    ssh.exec(Exec::new("sh -s").stdin(script.as_bytes()).timeout(Duration::from_secs(30)), &mut output).await?;
    Ok(output.stdout_text().lines().any(|line| line == "armed"))
}
