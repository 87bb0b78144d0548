//! Kills a command and everything it started, from the outside.
//!
//! A signal request on the command's own channel is not enough: sshd before 7.9 ignores it, sshd drops it for a user
//! other than root once sudo has changed the owner, and it never reaches grandchildren. So a second command looks the
//! processes up in `/proc`: those that carry the mark in their environment, their descendants, and every process in a
//! session that one of them leads. What has left its parents, its session and its environment before the time limit
//! is a daemon, and stays.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use russh::{ChannelMsg, Sig};
use tokio::time::{sleep, timeout};

use crate::command::{MARK, as_root};
use crate::session::{Closed, Session};

/// The script below needs 8 s at worst; a machine that swaps gets some more.
const LIMIT: Duration = Duration::from_secs(20);

/// TERM first, so that package managers put their locks away; KILL after two seconds, until nothing is left.
/// `found` only grows: a child of a process that is already dead still belongs to the command.
const SCRIPT: &str = r#"
found=" "
look() {
  for file in $(grep -lsF "$mark" /proc/[0-9]*/environ); do
    pid=${file#/proc/}; pid=${pid%/environ}
    case $found in *" $pid "*) ;; *) found="$found$pid " ;; esac
  done
  grew=1
  while [ $grew = 1 ]; do
    grew=0; alive=""
    for stat in /proc/[0-9]*/stat; do
      line=""; { read -r line <"$stat"; } 2>/dev/null
      pid=${line%% *}; set -- ${line##*) }
      [ "${1:-Z}" = Z ] || [ "$1" = X ] && continue
      case $found in
        *" $pid "*) alive="$alive $pid" ;;
        *" $2 "*|*" $4 "*) found="$found$pid "; alive="$alive $pid"; grew=1 ;;
      esac
    done
  done
}
look
# A command that was asked for just now may not have got as far as its mark.
tries=15
while [ "$found" = " " ] && [ $tries -gt 0 ]; do
  sleep 0.1 2>/dev/null || sleep 1
  look
  tries=$((tries - 1))
done
for round in TERM KILL KILL; do
  look
  [ -z "$alive" ] && exit 0
  kill -"$round" $alive 2>/dev/null
  tries=20
  while [ $tries -gt 0 ]; do
    sleep 0.1 2>/dev/null || sleep 1
    look
    [ -z "$alive" ] && exit 0
    [ "$round" = KILL ] && kill -KILL $alive 2>/dev/null
    tries=$((tries - 1))
  done
done
echo "still running:$alive" >&2
exit 1
"#;

/// The mark is put together inside: sudo copies the whole line into the environment (`SUDO_COMMAND`), and a script that
/// carries the mark would kill itself.
fn script(id: &str) -> String {
    format!("mark={MARK}; mark=$mark={id}\n{SCRIPT}")
}

/// Kills everything that belongs to the command `id`. The error says, as a clause, what is left and why.
pub(crate) fn tree(session: Arc<Session>, id: String) -> BoxFuture<'static, Result<(), String>> {
    kill(session, id).boxed()
}

async fn kill(session: Arc<Session>, id: String) -> Result<(), String> {
    let command = as_root(&script(&id), session.become_root, None);
    let run = async {
        let channel = loop {
            match session.command_channel().await {
                Ok(channel) => break channel,
                // All places are taken for the moment.
                Err(Closed::Refused(_)) => sleep(Duration::from_millis(200)).await,
                Err(Closed::Lost(reason)) => return Err(reason),
            }
        };
        channel.exec(true, command).await.map_err(|_| session.seen.end())?;
        let _ = channel.eof().await;
        let (mut read, write) = channel.split();
        let mut status = None;
        let mut text = Vec::new();
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExtendedData { data, .. } if text.len() < 1000 => text.extend_from_slice(&data),
                ChannelMsg::Failure | ChannelMsg::Close => break,
                _ => {}
            }
        }
        let _ = write.close().await;
        match status {
            Some(0) => Ok(()),
            Some(_) => Err(String::from_utf8_lossy(&text).trim().to_owned()),
            None => Err(session.seen.end()),
        }
    };
    timeout(LIMIT, run).await.unwrap_or_else(|_| Err("the machine is too slow to answer".to_owned()))
}

/// The second best, where no second command can run: the server passes the signal on to the one process it knows.
pub(crate) async fn ask(channel: &russh::ChannelWriteHalf<russh::client::Msg>) {
    let _ = channel.signal(Sig::KILL).await;
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// The script, run by the shell of this host, on a tree with every kind of runaway: a process that ignores TERM,
    /// one in a session of its own, one without the mark in its environment, one whose parents have gone.
    #[test]
    fn kills_what_hides_and_nothing_else() {
        let id = uuid::Uuid::new_v4().to_string();
        let tree = "trap '' TERM; setsid sleep 1001 & env -i sleep 1002 & (setsid sh -c 'sleep 1003; sleep 1003' &) ; sleep 1004 & wait";
        let mut marked =
            Command::new("setsid").args(["-w", "sh", "-c", tree]).env(MARK, &id).stdin(Stdio::null()).spawn().unwrap();
        let mut innocent = Command::new("sleep").arg("1005").env(MARK, "another").spawn().unwrap();
        Command::new("sleep").arg("0.3").status().unwrap();
        let script = script(&id);
        assert!(!script.contains(&format!("{MARK}={id}")));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        marked.wait().unwrap();
        let left = Command::new("grep").args(["-lsFa", &id]).args(environs()).output().unwrap();
        assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
        assert!(innocent.try_wait().unwrap().is_none(), "an innocent process was killed");
        innocent.kill().unwrap();
        innocent.wait().unwrap();
    }

    fn environs() -> Vec<std::path::PathBuf> {
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path().join("environ"))).collect()
    }
}
