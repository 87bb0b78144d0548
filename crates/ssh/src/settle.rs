//! The end of a machine's boot: cloud-init's stages and the services of the system.

use ami_bake_core::output::sanitize;

/// Script that waits for the end of the boot, and prints how cloud-init ended and what is still starting.
///
/// `cloud-init status --wait` returns when a stage has failed although later stages still run (cloud-init 22 and 23), so
/// systemd is asked for jobs of cloud-init's units too. Services are waited for as long as `$settle` says, in seconds:
/// some systems have one that never ends its start. Versions of systemd before 240 have no `is-system-running --wait`.
pub(crate) const SETTLE: &str = r#"
asked() { said=$(cloud-init status "$@" --long 2>&1 </dev/null); }
pause() { sleep 0.5 2>/dev/null || sleep 1; }
starting() { systemctl list-jobs --no-legend </dev/null 2>/dev/null; }
has=; command -v cloud-init >/dev/null 2>&1 && has=1
[ -z "$has" ] || asked --wait
if [ -d /run/systemd/system ]; then
    while starting | grep -Eq ' cloud-(init|config|final)[a-z-]*\.(service|target) '; do pause; done
    n=0
    while case $(systemctl is-system-running </dev/null 2>/dev/null) in initializing | starting) ;; *) false ;; esac; do
        n=$((n + 1))
        if [ "$n" -gt "$((settle * 2))" ]; then
            echo "starting=$(starting | while read -r _ unit _; do printf ' %s' "$unit"; done)"
            break
        fi
        pause
    done
fi
if [ -n "$has" ]; then
    # Again: what failed later counts too.
    asked
    echo "cloud-init=$?"
    printf '%s\n' "$said"
fi
"#;

/// cloud-init's exit status and message in the output of [`SETTLE`]; `None` on a machine without cloud-init.
pub(crate) fn cloud_init_status(text: &str) -> Option<(i32, &str)> {
    let at = text.find("cloud-init=")?;
    let (status, said) = text[at + "cloud-init=".len()..].split_once('\n')?;
    Some((status.trim().parse().ok()?, said.trim()))
}

/// The units that [`SETTLE`] no longer waited for; `None` when the boot was over.
pub(crate) fn still_starting(text: &str) -> Option<String> {
    let units = text.lines().find_map(|line| line.strip_prefix("starting="))?.trim();
    Some(if units.is_empty() { "a service".to_owned() } else { sanitize(&units.replace(' ', ", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_of_cloud_init_is_read() {
        assert_eq!(cloud_init_status("armed\ncloud-init=0\n....\nstatus: done\n"), Some((0, "....\nstatus: done")));
        assert_eq!(cloud_init_status("armed\ncloud-init=1\nstatus: error"), Some((1, "status: error")));
        assert_eq!(cloud_init_status("armed\n"), None);
    }

    #[test]
    fn services_that_do_not_end_their_start_are_named() {
        assert_eq!(
            still_starting("armed\nstarting= rc-local.service x.service\n").as_deref(),
            Some("rc-local.service, x.service")
        );
        assert_eq!(still_starting("starting=\n").as_deref(), Some("a service"));
        assert_eq!(still_starting("cloud-init=0\nstarting up\n"), None);
    }
}
