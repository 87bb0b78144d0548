//! Builds command lines for sshd: commands run as root, and carry a mark by which their processes can be found.

use ami_bake_core::kill::MARK;
use ami_bake_core::shell::quote;

/// How commands of the login user become root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// The login is root.
    Root,
    /// Through sudo, without a password.
    Sudo {
        /// The folder of this connection's [keeper](Privilege::keeper).
        keeper: String,
    },
}

impl Privilege {
    /// The privilege of the login user `user`, for one connection.
    pub(crate) fn of(user: &str) -> Self {
        match user {
            "root" => Self::Root,
            _ => Self::Sudo { keeper: format!("/run/ami-bake-root.{}", uuid::Uuid::new_v4().simple()) },
        }
    }

    /// A script, run once as root when the connection is new, that starts a process which runs commands as root for as
    /// long as the connection lasts: an image may take sudo's rights away, or ask for a password or a terminal (CIS, STIG),
    /// and has to be validated, sealed and captured after that. Empty where none is needed.
    ///
    /// Without `/run`, or on a machine where it can't be written, nothing is started.
    pub(crate) fn keeper(&self) -> String {
        let Self::Sudo { keeper } = self else { return String::new() };
        format!(
            "set -- {keeper}; {START} env -u {MARK} /bin/sh -c {} keeper \"$1\" \"$p\" </dev/null >/dev/null 2>&1 & fi; ",
            quote(KEEPER)
        )
    }
}

/// Creates the keeper's folder `$1` for the login user, and finds the process of the connection.
const START: &str = r#"
p=$$
while [ "$p" -gt 1 ] && read -r name <"/proc/$p/comm"; do
  case $name in sshd*) break ;; esac
  while read -r key value; do [ "$key" = PPid: ] && p=$value; done <"/proc/$p/status"
done
if [ -n "${SUDO_UID-}" ] && mkdir -m 700 "$1" 2>/dev/null && mkfifo -m 600 "$1/ask" &&
  chown -R "$SUDO_UID:${SUDO_GID-$SUDO_UID}" "$1"; then
"#;

/// Shell script of the keeper of the folder `$1`, which runs as long as the process `$2`: reads names of folders, and
/// runs the command in each with the named pipes in it. Opens the pipes in the same order as [`CLIENT`].
const KEEPER: &str = r#"
keeper=$$
if [ "$2" -gt 1 ]; then
  (while kill -0 "$2"; do sleep 2; done; kill "$keeper"; rm -rf "$1") &
fi
exec 3<>"$1/ask"
while read -r job <&3; do
  case $job in "" | *[!0-9a-f]*) continue ;; esac
  (
    exec 3<&-
    j=$1/$job
    (exec env AMI_BAKE_EXEC="$job" /bin/sh -c "$(cat "$j/command")") 2>"$j/err" >"$j/out" <"$j/in"
    echo $? >"$j/status"
    rm -rf "$j"
  ) &
done
"#;

/// Shell script that runs the command `$1`, marked with `$2`, through sudo or, if sudo no longer allows it, through the
/// keeper in the folder `$3`. Without a keeper the message of sudo is shown.
const CLIENT: &str = r#"
if ! sudo -n -H true 2>/dev/null && [ -p "$3/ask" ]; then
  j=$3/$2
  mkdir -m 700 "$j" && mkfifo -m 600 "$j/err" "$j/out" "$j/in" "$j/status" || exit 255
  printf '%s' "$1" >"$j/command"
  printf '%s\n' "$2" >"$3/ask"
  exec 3<&0 0</dev/null
  cat <"$j/err" >&2 3<&- &
  cat <"$j/out" 3<&- &
  cat <&3 >"$j/in" 3<&- &
  in=$!
  exec 3<&-
  read -r status <"$j/status"
  kill "$in" 2>/dev/null
  exit "$status"
fi
exec sudo -n -H env AMI_BAKE_EXEC="$2" /bin/sh -c "$1"
"#;

/// The line for sshd's login shell: `command` runs under `/bin/sh` as root, marked with `id`, a hexadecimal number.
/// `exec` leaves no shell in between, so that signals and exit status are the command's own.
pub(crate) fn as_root(command: &str, privilege: &Privilege, id: &str) -> String {
    match privilege {
        // -n: never ask for a password; -H: root's own home.
        Privilege::Sudo { keeper } => format!("exec /bin/sh -c {} sh {} {id} {keeper}", quote(CLIENT), quote(command)),
        Privilege::Root => format!("exec env {MARK}={id} /bin/sh -c {}", quote(command)),
    }
}

/// The line that runs `command` as the login user, without a mark.
pub(crate) fn as_login(command: &str) -> String {
    format!("exec /bin/sh -c {}", quote(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_know_the_mark() {
        assert!(KEEPER.contains(&format!("{MARK}=")) && CLIENT.contains(&format!("{MARK}=")));
    }

    #[test]
    fn root_needs_no_sudo_and_no_keeper() {
        let root = Privilege::of("root");
        assert_eq!(as_root("true", &root, "x"), "exec env AMI_BAKE_EXEC=x /bin/sh -c true");
        assert_eq!(root.keeper(), "");
        let sudo = Privilege::of("admin");
        assert!(as_root("id -u", &sudo, "x").ends_with(&format!(
            " sh 'id -u' x {}",
            match &sudo {
                Privilege::Sudo { keeper } => keeper.as_str(),
                Privilege::Root => unreachable!("admin is not root"),
            }
        )));
    }
}
