//! What this machine lets us do.

use ami_bake_core::plan::MachineSettings;
use ami_bake_core::platform::Permission;

use crate::sandbox::missing_for_users;

/// One finding: whether sandboxes can be made here. Root can always try; anybody else needs user namespaces.
pub(crate) fn permissions(_machines: &[MachineSettings]) -> Vec<Permission> {
    let missing = if rustix::process::geteuid().is_root() { None } else { missing_for_users() };
    vec![Permission {
        action: "make namespaces and overlay mounts".to_owned(),
        allowed: Some(missing.is_none()),
        detail: missing,
    }]
}
