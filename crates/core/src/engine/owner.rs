//! Whose resources a ledger names. With other credentials they can't be found, which does not mean that they are gone.

use std::future::{Future, pending};

use crate::error::{Error, Result};
use crate::ledger::{Entry, Ledger};
use crate::platform::{Platform, Undo};
use crate::run::Run;

/// Does the work of a run, and notes meanwhile in its ledger whose resources it creates. The work does not wait for that:
/// an owner that can't be found out leaves the ledger without one.
pub(super) async fn owned<T>(run: &Run, platform: &dyn Platform, work: impl Future<Output = T>) -> T {
    let note = async {
        match run.until_cancelled(platform.owner(run)).await {
            Ok(Ok(Some(owner))) => run.ledger().belongs_to(&owner),
            Ok(Err(error)) => tracing::debug!(%error, "the ledger does not say whose resources it names"),
            Ok(Ok(None)) | Err(_) => {}
        }
        pending().await
    };
    tokio::select! {
        result = work => result,
        never = note => never,
    }
}

/// Undoes one entry of a ledger: asks for the deletion, waits for nothing.
///
/// # Errors
/// When the entry belongs to another owner than the one that the platform sees, and whatever undoing it fails with.
pub async fn undo(run: &Run, platform: &dyn Platform, ledger: &Ledger, entry: &Entry) -> Result<Undo> {
    // A role names its account.
    if let (None, Some(owner)) = (&entry.role, ledger.owner()) {
        let here = platform.owner(run).await?.unwrap_or_default();
        if here != owner {
            return Err(Error::preflight(format!("it belongs to {owner}, and this command uses {here}"))
                .help("Run `ami-bake sweep --yes` with the credentials and settings of the run that created it.")
                .denied());
        }
    }
    platform.undo(run, entry).await
}
