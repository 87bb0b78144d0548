//! What a machine's serial console proves.

/// The kernel's last line before the power goes (Linux, `kernel/reboot.c`, `kernel_power_off`). All devices are shut
/// down by then, so that nothing writes any more.
pub(crate) const POWER_DOWN: &str = "reboot: Power down";
/// The kernel's last line of a halt (`kernel_halt`): the same, but the processor stays.
pub(crate) const HALTED: &str = "reboot: System halted";
/// The first line of every Linux boot.
const BOOT: &str = "Linux version ";

/// True when the console shows that the guest went down after the nonce was written, and did not come up again.
pub(crate) fn is_down(console: &str, nonce: &str, last_line: &str) -> bool {
    let Some(at) = console.rfind(nonce) else { return false };
    let since = &console[at..];
    since.rfind(last_line).is_some_and(|down| !since[down..].contains(BOOT))
}

/// The command that writes the nonce to the console, at the one log level that no `quiet` and no `kernel.printk` hides.
pub(crate) fn announce(nonce: &str) -> String {
    format!("printf '<0>%s\\n' '{nonce}' > /dev/kmsg")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "ami-bake-down-7d1f";

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
        // A reboot step printed the line before; the guest still writes.
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
