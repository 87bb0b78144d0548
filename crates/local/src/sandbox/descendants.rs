//! Finds the processes of a sandbox in its `/proc`, and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ami_bake_core::{Error, Result};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use tokio::time::Instant;

use super::failure::Context;
use super::task::TaskOutcome;

/// Pause between two checks of the list of processes.
const PAUSE: Duration = Duration::from_millis(2);

/// Time limit for processes to die after SIGKILL; only a process that hangs in the kernel takes longer.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Kills everything that this process started, in every session. This process must be a subreaper, so that orphans
/// become its children.
pub(super) async fn kill_all() -> Result<()> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let end = Instant::now() + KILL_LIMIT;
    loop {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        // Processes forked meanwhile are found by the next check.
        let living = below(own, &processes()?);
        if living.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::build(format!("could not kill {} processes in the sandbox", living.len())));
        }
        send(&living, Signal::KILL);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends SIGTERM to every process of the sandbox, as a shutdown does, and waits for their end. Remaining ones are
/// killed with init.
pub(super) async fn stop_all(patience: Duration) -> Result<TaskOutcome> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let end = Instant::now() + patience;
    let mut signalled = BTreeSet::new();
    loop {
        let living: BTreeSet<i32> = processes()?.into_keys().filter(|pid| *pid != 1 && *pid != own).collect();
        if living.is_empty() || Instant::now() > end {
            return Ok(TaskOutcome::Done);
        }
        send(&living.difference(&signalled).copied().collect(), Signal::TERM);
        signalled.extend(living);
        tokio::time::sleep(PAUSE).await;
    }
}

fn send(to: &BTreeSet<i32>, signal: Signal) {
    for pid in to.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // The process may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}

/// All living processes with their parents, without zombies.
fn processes() -> Result<BTreeMap<i32, i32>> {
    let list = std::fs::read_dir("/proc").context(|| "list the processes of the sandbox".to_owned())?;
    let pids = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    Ok(pids
        .filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit(')').next()?.split_whitespace();
            let alive = !matches!(fields.next()?, "Z" | "X");
            let parent = fields.next()?.parse().ok()?;
            alive.then_some((pid, parent))
        })
        .collect())
}

/// The descendants of `top`.
fn below(top: i32, parents: &BTreeMap<i32, i32>) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    loop {
        let more: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| (**parent == top || found.contains(*parent)) && !found.contains(*pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_are_descendants() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 4)]);
        assert_eq!(below(2, &parents), BTreeSet::from([3, 4, 6]));
        assert!(below(6, &parents).is_empty());
    }
}
