//! Builds command lines for sshd: commands run as root, and carry a mark by which their processes can be found.

use ami_bake_core::kill::MARK;
use ami_bake_core::shell::quote;

use crate::target::RootAccess;

/// How commands of a login become root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// The login is root.
    Root,
    /// Through sudo without a password, and through the [keeper](Privilege::keeper) where sudo no longer lets it.
    Sudo {
        /// The folder of the machine's keeper.
        keeper: String,
    },
    /// Through the keeper alone, which was started with a password or in a terminal.
    Keeper {
        /// Its folder.
        keeper: String,
    },
}

impl Privilege {
    /// The name of a keeper's folder, for one machine.
    pub(crate) fn new_keeper() -> String {
        format!("/run/ami-bake-root.{}", uuid::Uuid::new_v4().simple())
    }

    /// For a login of this name.
    pub(crate) fn of(user: &str, access: &RootAccess, keeper: &str) -> Self {
        let keeper = keeper.to_owned();
        match user {
            "root" => Self::Root,
            _ if access.in_terminal() => Self::Keeper { keeper },
            _ => Self::Sudo { keeper },
        }
    }

    /// The folder of the keeper, where there can be one.
    pub(crate) fn folder(&self) -> Option<&str> {
        match self {
            Self::Root => None,
            Self::Sudo { keeper } | Self::Keeper { keeper } => Some(keeper),
        }
    }

    /// A script, run once as root when the connection is new, that starts a process which runs commands as root from then
    /// on: an image may take sudo's rights away, or ask for a password or a terminal (CIS, STIG), and has to be validated,
    /// sealed and captured after that. Empty where none is needed.
    ///
    /// Without `/run`, or on a machine where it can't be written, nothing is started.
    pub(crate) fn keeper(&self) -> String {
        self.folder().map(|folder| format!("set -- {folder}; {}", start())).unwrap_or_default()
    }
}

/// The script that starts the keeper: of the folder `$1`, for the user `$2` and the group `$3`, and the connection whose
/// process is `$4`. Default: the user who called sudo, and the connection that it was called on.
pub(crate) fn start() -> String {
    // With a session of its own it outlives the terminal that it may have been started in.
    format!(
        "{CLIMB}{START} s=; if command -v setsid >/dev/null 2>&1; then s=setsid; else trap '' HUP; fi; \
         $s env -u {MARK} /bin/sh -c {} keeper \"$1\" </dev/null >/dev/null 2>&1 & fi; ",
        quote(KEEPER)
    )
}

/// Finds the process `p` of the connection that this shell runs on.
pub(crate) const CLIMB: &str = r#"
p=$$
while [ "$p" -gt 1 ] && read -r name <"/proc/$p/comm"; do
  case $name in sshd*) break ;; esac
  while read -r key value; do [ "$key" = PPid: ] && p=$value; done <"/proc/$p/status"
done 2>/dev/null
"#;

/// Makes the keeper's folder `$1` for the user who logged in.
const START: &str = r#"
u=${2-${SUDO_UID-}}; g=${3-${SUDO_GID-$u}}
if [ -n "$u" ] && mkdir -m 700 "$1" 2>/dev/null && mkfifo -m 600 "$1/ask" &&
  echo "${4-$p}" >"$1/session" && chown -R "$u:$g" "$1"; then
"#;

/// The keeper of the folder `$1`: takes the names of folders, and runs the command in each with the pipes that are there. It
/// opens them in the order of [`CLIENT`]. It lasts as long as the connection, and five minutes more: a connection that is
/// lost can be made again, but not become root again.
const KEEPER: &str = r#"
keeper=$$
: >"$1/ready"
(
  lost=0
  while kill -0 "$keeper" 2>/dev/null; do
    p=; { read -r p <"$1/session"; } 2>/dev/null
    case $p in "" | *[!0-9]*) p=0 ;; esac
    if [ "$p" -gt 1 ] && kill -0 "$p" 2>/dev/null; then lost=0; else lost=$((lost + 1)); fi
    [ "$lost" -lt 150 ] || { kill "$keeper"; rm -rf "$1"; }
    sleep 2
  done
) &
exec 3<>"$1/ask"
while read -r job <&3; do
  case $job in
    quit) rm -rf "$1"; exit ;;
    "" | *[!0-9a-f]*) continue ;;
  esac
  (
    exec 3<&-
    j=$1/$job
    (exec env AMI_BAKE_EXEC="$job" /bin/sh -c "$(cat "$j/command")") 2>"$j/err" >"$j/out" <"$j/in"
    echo $? >"$j/status"
    rm -rf "$j"
  ) &
done
"#;

/// Runs the command `$1`, marked with `$2`, through sudo or, where sudo no longer lets it or `$4` says so, through the
/// keeper in the folder `$3`. What sudo says is shown where there is no keeper.
const CLIENT: &str = r#"
if { [ -n "$4" ] || ! sudo -n -H true 2>/dev/null; } && [ -p "$3/ask" ]; then
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
if [ -n "$4" ]; then
  echo 'the process that runs commands as root is gone' >&2
  exit 255
fi
exec sudo -n -H env AMI_BAKE_EXEC="$2" /bin/sh -c "$1"
"#;

/// The line for sshd's login shell: `command` runs under `/bin/sh` as root, marked with `id`, a hexadecimal number.
/// `exec` leaves no shell in between, so that signals and exit status are the command's own.
pub(crate) fn as_root(command: &str, privilege: &Privilege, id: &str) -> String {
    let client = |keeper: &str, only: &str| {
        format!("exec /bin/sh -c {} sh {} {id} {keeper} '{only}'", quote(CLIENT), quote(command))
    };
    match privilege {
        // -n: never ask for a password; -H: root's own home.
        Privilege::Sudo { keeper } => client(keeper, ""),
        Privilege::Keeper { keeper } => client(keeper, "only"),
        Privilege::Root => format!("exec env {MARK}={id} /bin/sh -c {}", quote(command)),
    }
}

/// The line that runs `command` as the login user, without a mark.
pub(crate) fn as_login(command: &str) -> String {
    format!("exec /bin/sh -c {}", quote(command))
}

/// The line that tells the keeper in this folder that the machine has a new connection. It fails where there is no keeper.
pub(crate) fn attach(keeper: &str) -> String {
    as_login(&format!("[ -p {keeper}/ask ] || exit 1; {CLIMB}echo \"$p\" >{keeper}/session"))
}

/// The line that ends the keeper in this folder.
pub(crate) fn end_keeper(keeper: &str) -> String {
    as_login(&format!("[ ! -p {keeper}/ask ] || echo quit >{keeper}/ask"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::RootProgram;

    #[test]
    fn the_scripts_know_the_mark() {
        assert!(KEEPER.contains(&format!("{MARK}=")) && CLIENT.contains(&format!("{MARK}=")));
    }

    #[test]
    fn root_needs_no_sudo_and_no_keeper() {
        let access = RootAccess::default();
        let root = Privilege::of("root", &access, "/run/k");
        assert_eq!(as_root("true", &root, "x"), "exec env AMI_BAKE_EXEC=x /bin/sh -c true");
        assert_eq!(root.keeper(), "");
        let sudo = Privilege::of("admin", &access, "/run/k");
        assert!(as_root("id -u", &sudo, "x").ends_with(" sh 'id -u' x /run/k ''"));
        let su = RootAccess { through: Some(RootProgram::Su), ..access };
        let keeper = Privilege::of("admin", &su, "/run/k");
        assert!(as_root("id -u", &keeper, "x").ends_with(" sh 'id -u' x /run/k 'only'"));
    }
}
