//! Kills a command and everything that it started, from a second command beside it: the engine has no call for it.
//!
//! Every command carries a mark in its environment. What carries it, what descends from such a process, and what is in
//! its session is the command's. Only a shell's own words are used, since an image may have no tools at all.

use std::time::Duration;

use bollard::Docker;

use super::exec::quietly;

/// The variable that marks a command's processes.
pub(super) const MARK: &str = "AMI_BAKE_EXEC";

/// The script below needs some 6 s at worst.
const LIMIT: Duration = Duration::from_secs(15);

/// `$1` is the mark's value. TERM first, so that package managers put their locks away; KILL after two seconds. `found`
/// only grows: a child of a process that is already dead still belongs to the command.
const SCRIPT: &str = r#"
mark="AMI_BAKE_EXEC=$1"
found=" "
look() {
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    case $found in *" $pid "*) continue ;; esac
    { while read -r line || [ -n "$line" ]; do
      case $line in *"$mark"*) found="$found$pid "; break ;; esac
    done <"$dir/environ"; } 2>/dev/null
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
pause() { sleep 0.1 2>/dev/null || sleep 1 2>/dev/null; }
for round in TERM KILL KILL; do
  look
  [ -z "$alive" ] && exit 0
  kill -"$round" $alive 2>/dev/null
  tries=20
  while [ $tries -gt 0 ]; do
    pause
    look
    [ -z "$alive" ] && exit 0
    [ "$round" = KILL ] && kill -KILL $alive 2>/dev/null
    tries=$((tries - 1))
  done
done
exit 1
"#;

/// Kills the command with this mark; false when something of it may be left.
pub(super) async fn tree(docker: &Docker, container: &str, mark: &str) -> bool {
    let killed = tokio::time::timeout(LIMIT, quietly(docker, container, &[SCRIPT, "sh", mark])).await;
    matches!(killed, Ok(Some(0)))
}
