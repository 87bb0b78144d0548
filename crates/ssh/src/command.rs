//! Command lines: quoting, and how a command becomes root's and can be found again.

use ami_bake_core::kill::MARK;

/// One word for a POSIX shell, whatever stands in it.
pub(crate) fn quote(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

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
    fn quoting_survives_a_real_shell() {
        for word in ["", "plain", "a b", "it's", "''", "$HOME `id` \\ \" \n tab\t", "-n", "ünï", "*", "~root", "a!b"]
        {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", quote(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn another_user_goes_through_sudo() {
        assert_eq!(as_root("id -u", true, Some("x")), "exec sudo -n -H env AMI_BAKE_EXEC=x /bin/sh -c 'id -u'");
        assert_eq!(as_root("true", false, None), "exec /bin/sh -c true");
    }
}
