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

/// The SSH host keys of the newest boot, as lines of `ssh_host_*_key.pub`: ed25519 before all others. Empty until
/// cloud-init has printed all of them.
pub fn host_keys(console: &str) -> Vec<&str> {
    let Some((_, block)) = console.rsplit_once(KEYS_BEGIN) else { return Vec::new() };
    let Some((block, _)) = block.split_once(KEYS_END) else { return Vec::new() };
    let mut keys: Vec<&str> = block
        .lines()
        .filter_map(|line| Some(&line[line.find("ssh-").or_else(|| line.find("ecdsa-"))?..]))
        .map(str::trim)
        .collect();
    keys.sort_by_key(|key| !key.starts_with("ssh-ed25519 "));
    keys
}

/// True if the console shows that the newest boot has finished: cloud-init's last message, or a login prompt (agetty(8)).
pub fn is_up(console: &str) -> bool {
    let since = console.rfind(BOOT).map_or(console, |at| &console[at..]);
    let prompt = |line: &str| line.trim_end().ends_with(" login:");
    since.lines().any(|line| (line.contains("Cloud-init v. ") && line.contains(" finished")) || prompt(line))
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
        assert_eq!(host_keys(&console), ["ssh-ed25519 NEW root@a", "ecdsa-sha2-nistp256 E root@a"]);
        assert!(host_keys("nothing yet").is_empty());
        assert!(host_keys(&format!("{KEYS_BEGIN}\nssh-ed25519 HALF")).is_empty());
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
    fn the_end_of_a_boot_is_seen() {
        assert!(is_up("Linux version 6.1\n[ 9.1] cloud-init[702]: Cloud-init v. 24.4 finished at Mon\n"));
        assert!(is_up("Linux version 6.1\n\nDebian GNU/Linux 12 ip-10-0-0-1 ttyS0\n\nip-10-0-0-1 login: "));
        assert!(!is_up("Linux version 6.1\n[ 3.2] systemd[1]: Started systemd-logind\n"));
        assert!(!is_up("a login: \nLinux version 6.1\n"), "of the boot before");
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
