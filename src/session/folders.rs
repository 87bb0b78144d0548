//! Where the program keeps its state (XDG Base Directory Specification).

use std::path::PathBuf;

use ami_bake_core::{Error, Result};

/// The folder of this user's state.
fn state() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .map(|folder| folder.join("ami-bake"))
        .ok_or_else(|| {
            Error::preflight("there is no folder for ledgers and images: neither XDG_STATE_HOME nor HOME is set")
                .help("Set XDG_STATE_HOME to a folder that you may write to.")
        })
}

/// The folder of the ledgers: the runner's own in a workflow, so that the job's post step finds them.
pub(crate) fn ledgers() -> Result<PathBuf> {
    #[cfg(feature = "github")]
    if let Some(action) = crate::action::current() {
        return Ok(action.environment.shared_folder().join("ami-bake"));
    }
    match std::env::var_os("RUNNER_TEMP").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(folder) => Ok(folder.join("ami-bake")),
        None => state(),
    }
}
