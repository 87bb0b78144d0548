//! Kills a command on a machine and everything that it started, from a second command beside it.
//!
//! Every command carries a mark in its environment. A process belongs to the command if it carries the mark, descends
//! from such a process, or is in a session that one of them leads. A process that has left parents, session and
//! environment before that is a daemon, and stays.

use std::time::Duration;

/// The environment variable that marks a command and everything it starts.
pub const MARK: &str = "AMI_BAKE_EXEC";

/// Time limit of the script. It needs 8 s at worst; a machine that swaps gets more.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A POSIX script that kills every process of the command whose [`MARK`] has the value `id`. It exits with 0 when no
/// process is left, and lists those that are left on standard error.
///
/// It sends TERM first, so that package managers remove their locks, and KILL after two seconds, until no process is
/// left. Once found, a process stays found: a child of a dead process still belongs to the command.
pub fn script(id: &str) -> String {
    // The script assembles the mark at run time: sudo copies the whole command line into the environment
    // (`SUDO_COMMAND`), so a script that contained the mark would kill itself.
    format!("mark={MARK}; mark=$mark={id}\n{}", include_str!("kill.sh"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs the script in this host's shell on every kind of runaway: a process that ignores TERM, one in a session of
    /// its own, one without the mark in its environment, and one whose parents are dead. Once with this host's grep,
    /// and once with a PATH without grep.
    #[test]
    fn kills_what_hides_and_nothing_else() {
        for tools in ["", "command() { false; }\n"] {
            let id = uuid::Uuid::new_v4().to_string();
            let tree = "trap '' TERM; setsid sleep 1001 & env -i sleep 1002 & (setsid sh -c 'sleep 1003; sleep 1003' &) ; \
                        sleep 1004 & echo ready; wait";
            let mut marked = Command::new("setsid")
                .args(["-w", "sh", "-c", tree])
                .env(MARK, &id)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut innocent = Command::new("sleep").arg("1005").env(MARK, "another").spawn().unwrap();
            let mut ready = [0; 6];
            std::io::Read::read_exact(marked.stdout.as_mut().unwrap(), &mut ready).unwrap();
            let script = script(&id);
            assert!(!script.contains(&format!("{MARK}={id}")));
            let output = Command::new("sh").args(["-c", &format!("{tools}{script}")]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            marked.wait().unwrap();
            let left = Command::new("grep").args(["-lsFa", &id]).args(environs()).output().unwrap();
            assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
            assert!(innocent.try_wait().unwrap().is_none(), "an innocent process was killed");
            innocent.kill().unwrap();
            innocent.wait().unwrap();
        }
    }

    fn environs() -> Vec<std::path::PathBuf> {
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path().join("environ"))).collect()
    }
}
