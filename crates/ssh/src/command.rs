//! Command lines for sshd: run as root, and marked so that the processes can be found again.

use ami_bake_core::kill::MARK;
use ami_bake_core::shell::quote;

/// The line for sshd's login shell: `command` runs under `/bin/sh` as root, marked with `id` where there is one.
/// `exec` leaves no shell in between, so that signals and exit status are the command's own.
pub(crate) fn as_root(command: &str, become_root: bool, id: Option<&str>) -> String {
    // -n: never ask for a password; -H: root's own home.
    let sudo = if become_root { "sudo -n -H " } else { "" };
    let mark = id.map(|id| format!("env {MARK}={id} ")).unwrap_or_default();
    format!("exec {sudo}{mark}/bin/sh -c {}", quote(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_goes_through_sudo() {
        assert_eq!(as_root("id -u", true, Some("x")), "exec sudo -n -H env AMI_BAKE_EXEC=x /bin/sh -c 'id -u'");
        assert_eq!(as_root("true", false, None), "exec /bin/sh -c true");
    }
}
