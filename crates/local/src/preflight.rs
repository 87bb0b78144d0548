//! Checks whether sandboxes work on this machine.

use ami_bake_core::platform::Permission;

use rustix::thread::CapabilitySet;

use crate::sandbox::missing_for_users;

/// One result: whether sandboxes can be created here. Without root they need user namespaces.
pub(crate) fn permissions() -> Vec<Permission> {
    let missing = if rustix::process::geteuid().is_root() { missing_for_root() } else { missing_for_users() };
    vec![Permission {
        action: "create namespaces and overlay mounts".to_owned(),
        allowed: Some(missing.is_none()),
        detail: missing,
    }]
}

/// Why root can't create sandboxes: in a container it often lacks the capability to mount.
fn missing_for_root() -> Option<String> {
    let able = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    let why = "CAP_SYS_ADMIN is missing, as in most containers. Start the container with --privileged, or use --platform \
               docker.";
    (!able).then(|| why.to_owned())
}
