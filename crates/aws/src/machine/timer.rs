//! The self-termination timer of a machine, which ends it when this program no longer can.

use std::time::Duration;

use ami_bake_core::Run;

/// Defines `arm SECONDS`. The unit lives in /run, so it is in no image. Without systemd a sleeping process does
/// the same.
const ARM: &str = r#"
arm() {
    if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then
        systemctl stop ami-bake-deadman.timer >/dev/null 2>&1
        systemd-run --quiet --unit=ami-bake-deadman --on-active="$1"s --timer-property=AccuracySec=1s systemctl poweroff ||
            systemd-run --quiet --unit="ami-bake-deadman-$$" --on-active="$1"s systemctl poweroff
    else
        [ -r /run/ami-bake-deadman.pid ] && kill "$(cat /run/ami-bake-deadman.pid)"
        ( trap '' HUP; sleep "$1"; poweroff || shutdown -h now || halt -p ) >/dev/null 2>&1 &
        echo $! > /run/ami-bake-deadman.pid
    fi
} </dev/null 2>/dev/null
"#;

/// A script that arms the timer, or sets it again, and then runs the command `then`.
pub(super) fn script(after: Duration, then: &str) -> String {
    format!("{ARM}\narm {} && {then}\n", after.as_secs())
}

/// Reports a machine that has no timer.
pub(super) fn missing(run: &Run, machine: &str) {
    run.warn(
        format!("could not set the self-termination timer of {machine}"),
        Some("If this runner is lost, only `ami-bake sweep` terminates the machine.".to_owned()),
    );
}
