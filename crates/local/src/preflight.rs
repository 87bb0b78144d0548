//! What this machine lets us do.

use ami_bake_core::platform::Permission;

use rustix::thread::CapabilitySet;

use crate::sandbox::missing_for_users;

/// One finding: whether sandboxes can be made here. Whoever is not root needs user namespaces.
pub(crate) fn permissions() -> Vec<Permission> {
    let missing = if rustix::process::geteuid().is_root() { missing_for_root() } else { missing_for_users() };
    vec![Permission {
        action: "make namespaces and overlay mounts".to_owned(),
        allowed: Some(missing.is_none()),
        detail: missing,
    }]
}

/// Root of a container is often no root.
fn missing_for_root() -> Option<String> {
    let able = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    let why = "this root has no CAP_SYS_ADMIN, as in a container. Start the container with --privileged, or use \
               --platform docker.";
    (!able).then(|| why.to_owned())
}
