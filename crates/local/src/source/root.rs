//! Checks of root file systems.

use std::path::Path;

use ami_bake_core::{Error, Result};

/// The name of this system as a source.
pub(super) const HOST: &str = "host";

/// Checks that a folder is a root file system. Messages call it `name`.
///
/// # Errors
/// When `/etc` or `/bin/sh` is missing.
pub(super) fn check(root: &Path, name: &str) -> Result<()> {
    let has = |path: &str| std::fs::symlink_metadata(root.join(path)).is_ok();
    let missing = match (has("etc"), has("bin/sh") || has("usr/bin/sh")) {
        (true, true) => return Ok(()),
        (false, _) => "/etc",
        (true, false) => "/bin/sh",
    };
    Err(Error::preflight(format!("could not use {name} as a root file system: it has no {missing}"))
        .help("Use a folder or tarball with a whole system, such as debootstrap or `docker export` creates."))
}

/// The system's name in its os-release (os-release(5)).
pub(super) fn system_name(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("etc/os-release")).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}
