//! Folders for the program's state (XDG Base Directory Specification).

use std::path::PathBuf;

use ami_bake_core::ledger::Ledger;
use ami_bake_core::{Error, Result, Run};

use crate::host::Host;
use crate::plural::counted;

/// The folder for ledgers. In a workflow it is in the runner's folder, so that the job's post step finds them.
///
/// # Errors
/// When neither XDG_STATE_HOME nor HOME is set.
pub(crate) fn ledgers(host: &dyn Host) -> Result<PathBuf> {
    if let Some(folder) = host.ledger_folder() {
        return Ok(folder);
    }
    match absolute("RUNNER_TEMP") {
        Some(folder) => Ok(folder.join("ami-bake")),
        None => state(),
    }
}

/// Warns about unreadable lines in a ledger.
pub(crate) fn report_broken(run: &Run, ledger: &Ledger) {
    let (count, Some(path)) = (ledger.broken(), ledger.path()) else { return };
    if count > 0 {
        let lines = counted(count, "line");
        run.warn(
            format!("{lines} of the ledger {} can't be read", path.display()),
            Some("Once the resources in them have expired, `ami-bake sweep` finds them by their tags.".to_owned()),
        );
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
