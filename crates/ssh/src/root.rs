//! Becomes root with a password or in a terminal: once for each machine.
//!
//! The password goes into the terminal when the program asks for it, as if a person typed it: never into an argument or an
//! environment variable, which other processes can read.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::output::sanitize;
use ami_bake_core::shell::quote;
use russh::{ChannelMsg, Pty};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::command;
use crate::probe::ProbeError;
use crate::session::{ChannelError, Session};
use crate::target::RootAccess;

/// Time for a booting machine to ask for the password and to check it; PAM waits some seconds after a wrong one.
const LIMIT: Duration = Duration::from_mins(1);

/// The first words of the answer, and root's user number.
const DONE: &str = "ami-bake-root 0";

/// Calls the program `$1`, or the first that is there, with the script `$2` for the keeper `$3`.
const RAISE: &str = r#"
run="set -- $3 $(id -u) $(id -g) $p
$2
echo ami-bake-root \$(id -u)"
LC_ALL=C
export LC_ALL
for program in ${1:-sudo doas su}; do
  command -v "$program" >/dev/null 2>&1 || continue
  case $program in
    sudo) exec sudo -H -p 'ami-bake password:' /bin/sh -c "$run" ;;
    doas) exec doas /bin/sh -c "$run" ;;
    su) exec su root -c "$run" ;;
  esac
done
echo "${1:-sudo, doas or su} is not installed"
exit 127
"#;

/// The terminal must not close before the keeper has a session of its own: it would be hung up.
const READY: &str = r#"
n=0
until [ -e "$1/ready" ]; do
  n=$((n + 1))
  [ "$n" -lt 100 ] || { echo "no process could be started in $1"; exit 1; }
  sleep 0.1 2>/dev/null || sleep 1
done
"#;

/// Starts the keeper as root.
pub(crate) async fn raise(session: &Arc<Session>, access: &RootAccess, keeper: &str) -> Result<(), ProbeError> {
    let raised = timeout(LIMIT, start(session, access, keeper));
    raised.await.unwrap_or_else(|_| Err(ProbeError::NotRoot("the program that becomes root did not end".to_owned())))
}

async fn start(session: &Arc<Session>, access: &RootAccess, keeper: &str) -> Result<(), ProbeError> {
    let lost = |_| ProbeError::Lost(session.state.end());
    let channel = session.command_channel().await.map_err(|closed| match closed {
        ChannelError::Lost(reason) => ProbeError::Lost(reason),
        closed @ ChannelError::Refused(_) => ProbeError::NotRoot(closed.to_string()),
    })?;
    let (mut read, write) = channel.split();
    // What is typed is not shown, and lines end as the program ends them.
    let modes = [(Pty::ECHO, 0), (Pty::ECHONL, 0), (Pty::OPOST, 0)];
    write.request_pty(true, "dumb", 80, 24, 0, 0, &modes).await.map_err(lost)?;
    let program = access.through.map_or("", |program| program.as_str());
    let script = format!("{}{RAISE}", command::CLIMB);
    let line = format!(
        "exec /bin/sh -c {} sh '{program}' {} {keeper}",
        quote(&script),
        quote(&format!("{}{READY}", command::start()))
    );
    write.exec(true, line).await.map_err(lost)?;
    let mut text = String::new();
    let mut typed = false;
    let mut status = None;
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                text.push_str(&String::from_utf8_lossy(&data));
                if text.len() > 16 << 10 {
                    return Err(ProbeError::NotRoot(words(&text)));
                }
            }
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Failure if !typed && text.is_empty() => {
                return Err(ProbeError::NotRoot(
                    "the SSH server opens no terminal (PermitTTY in sshd_config) or runs no commands".to_owned(),
                ));
            }
            ChannelMsg::Close => break,
            _ => {}
        }
        if text.lines().any(|line| line.trim_end().ends_with(DONE)) {
            let _ = write.close().await;
            return Ok(());
        }
        if !asks(&text) {
            continue;
        }
        let Some(password) = access.password.as_ref().filter(|_| !typed) else {
            let _ = write.close().await;
            return Err(if typed {
                ProbeError::Refused("the password was not accepted".to_owned())
            } else {
                ProbeError::NotRoot(format!("{} asks for a password", words(&text)))
            });
        };
        typed = true;
        text.clear();
        write.data_bytes(format!("{}\n", password.expose_secret()).into_bytes()).await.map_err(lost)?;
    }
    let detail = match (words(&text), status) {
        (words, _) if !words.is_empty() => words,
        (_, Some(status)) => format!("the program ended with status {status} and no output"),
        (_, None) => return Err(ProbeError::Lost(session.state.end())),
    };
    // Trying a wrong password again can lock the account (pam_faillock(8)).
    Err(if typed { ProbeError::Refused(detail) } else { ProbeError::NotRoot(detail) })
}

/// Whether the last line is a question for a password: sudo's is set above, doas and PAM have `assword:` in theirs.
fn asks(text: &str) -> bool {
    let last = text.rsplit('\n').next().unwrap_or_default().trim_end();
    last.ends_with(':') && last.to_ascii_lowercase().contains("assword")
}

/// What the machine said, in one line.
fn words(text: &str) -> String {
    sanitize(&text.split_whitespace().collect::<Vec<_>>().join(" ")).chars().take(300).collect()
}

/// Tells the keeper that there is a new connection; false where there is none.
pub(crate) async fn attach(session: &Arc<Session>, keeper: &str) -> bool {
    quietly(session, command::attach(keeper)).await == Some(0)
}

/// Ends the keeper.
pub(crate) async fn end(session: &Arc<Session>) {
    let Some(keeper) = session.privilege.folder() else { return };
    let _ = timeout(Duration::from_secs(1), quietly(session, command::end_keeper(keeper))).await;
}

/// Runs a line as the user who logged in; its exit status.
async fn quietly(session: &Arc<Session>, line: String) -> Option<u32> {
    let channel = session.command_channel().await.ok()?;
    let (mut read, write) = channel.split();
    write.exec(true, line).await.ok()?;
    let mut status = None;
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Failure | ChannelMsg::Close => break,
            _ => {}
        }
    }
    let _ = write.close().await;
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_a_password_are_known() {
        for text in ["Password: ", "We trust you\n\nami-bake password:", "doas (a@host) password: ", "\r\nPassword:"] {
            assert!(asks(text), "{text:?}");
        }
        for text in ["", "Password: \n", "su: Authentication failure", "the password: is wrong"] {
            assert!(!asks(text), "{text:?}");
        }
    }
}
