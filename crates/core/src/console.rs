//! Reads the output of a machine's serial console. A machine may print anything there.

/// cloud-init prints the host keys after this line.
const KEYS_BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const KEYS_END: &str = "-----END SSH HOST KEY KEYS-----";
/// The kernel's last line before the power goes (Linux, `kernel/reboot.c`, `kernel_power_off`). All devices are shut
/// down by then, so that nothing writes any more.
pub const POWER_DOWN: &str = "reboot: Power down";
/// The kernel's last line of a halt (`kernel_halt`): as with [`POWER_DOWN`], but the processor stays on.
pub const HALTED: &str = "reboot: System halted";
/// The first line of every Linux boot.
const BOOT: &str = "Linux version ";

/// The SSH host key of the newest boot, as a line of `ssh_host_*_key.pub`; ed25519 is preferred. `None` until
/// cloud-init has printed all keys.
pub fn host_key(console: &str) -> Option<&str> {
    let (_, block) = console.rsplit_once(KEYS_BEGIN)?;
    let (block, _) = block.split_once(KEYS_END)?;
    let keys: Vec<&str> = block
        .lines()
        .filter_map(|line| Some(&line[line.find("ssh-").or_else(|| line.find("ecdsa-"))?..]))
        .map(str::trim)
        .collect();
    keys.iter().find(|key| key.starts_with("ssh-ed25519 ")).or(keys.first()).copied()
}

/// True when the console shows that the guest went down after the nonce was written, and did not come up again.
pub fn is_down(console: &str, nonce: &str, last_line: &str) -> bool {
    let Some(at) = console.rfind(nonce) else { return false };
    let since = &console[at..];
    since.rfind(last_line).is_some_and(|down| !since[down..].contains(BOOT))
}

/// The command that writes the nonce to the console, at the one log level that neither `quiet` nor `kernel.printk`
/// hides.
pub fn announce(nonce: &str) -> String {
    format!("printf '<0>%s\\n' '{nonce}' > /dev/kmsg")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "ami-bake-down-7d1f";

    #[test]
    fn the_newest_ed25519_key_is_taken() {
        let console = format!(
            "{KEYS_BEGIN}\nssh-ed25519 OLD root@a\n{KEYS_END}\nreboot\r\n{KEYS_BEGIN}\r\necdsa-sha2-nistp256 E root@a\r\n\
             ssh-ed25519 NEW root@a\r\n{KEYS_END}\r\nlogin:"
        );
        assert_eq!(host_key(&console), Some("ssh-ed25519 NEW root@a"));
        assert_eq!(host_key("nothing yet"), None);
        assert_eq!(host_key(&format!("{KEYS_BEGIN}\nssh-ed25519 HALF")), None);
    }

    #[test]
    fn the_order_of_lines_is_the_proof() {
        let console = format!(
            "[   41.1] {NONCE}\r\n[   42.0] systemd-shutdown[1]: Powering off.\r\n[   42.2] reboot: Power down\r\n"
        );
        assert!(is_down(&console, NONCE, POWER_DOWN));
        assert!(!is_down(&console, NONCE, HALTED));
        assert!(!is_down(&console, "ami-bake-down-other", POWER_DOWN));
    }

    #[test]
    fn an_earlier_shutdown_proves_nothing() {
        // The power-down line is from a reboot step before the nonce; the guest still writes.
        let console = format!("reboot: Power down\nLinux version 6.1\nlogin:\n[ 9.1] {NONCE}\n[ 9.3] Stopping sshd\n");
        assert!(!is_down(&console, NONCE, POWER_DOWN));
    }

    #[test]
    fn a_guest_that_came_up_again_is_not_down() {
        let console = format!("{NONCE}\nreboot: Power down\n[    0.0] Linux version 6.1.0\n");
        assert!(!is_down(&console, NONCE, POWER_DOWN));
        assert!(is_down(&format!("{console}reboot: Power down\n"), NONCE, POWER_DOWN));
    }
}
