//! Where the program keeps its state (XDG Base Directory Specification).

use std::path::PathBuf;

use ami_bake_core::{Error, Result};

use crate::host::Host;

/// The folder for ledgers. In a workflow it is in the runner's folder, so that the job's post step finds them.
///
/// # Errors
/// When the environment names no folder for it.
pub(crate) fn ledgers(host: &dyn Host) -> Result<PathBuf> {
    if let Some(folder) = host.ledger_folder() {
        return Ok(folder);
    }
    match absolute("RUNNER_TEMP") {
        Some(folder) => Ok(folder.join("ami-bake")),
        None => state(),
    }
}

/// The folder for this user's state.
fn state() -> Result<PathBuf> {
    absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .map(|folder| folder.join("ami-bake"))
        .ok_or_else(|| {
            Error::preflight("no folder for the ledger: neither XDG_STATE_HOME nor HOME is set")
                .help("Set XDG_STATE_HOME to a folder that you can write to.")
        })
}

fn absolute(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
