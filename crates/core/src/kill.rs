//! Kills a command on a machine and everything that it started, from a second command beside it.
//!
//! Every command carries a mark in its environment. What carries it, what descends from such a process, and what is in a
//! session that one of them leads is the command's. What has left its parents, its session and its environment before that
//! is a daemon, and stays.

use std::time::Duration;

/// The variable that marks a command and everything it starts.
pub const MARK: &str = "AMI_BAKE_EXEC";

/// The script needs 8 s at worst; a machine that swaps gets some more.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A POSIX script that kills every process of the command whose [`MARK`] has this value. It exits with 0 when nothing is
/// left, and says on standard error what is.
///
/// TERM first, so that package managers put their locks away; KILL after two seconds, until nothing is left. What was
/// found stays found: a child of a process that is already dead still belongs to the command.
pub fn script(id: &str) -> String {
    // The mark is put together inside: sudo copies the whole line into the environment (`SUDO_COMMAND`), and a script
    // that carries the mark would kill itself.
    format!("mark={MARK}; mark=$mark={id}\n{}", include_str!("kill.sh"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// The script, run by the shell of this host, on a tree with every kind of runaway: a process that ignores TERM,
    /// one in a session of its own, one without the mark in its environment, one whose parents have gone. With this
    /// host's grep, and with a path on which there is none.
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
