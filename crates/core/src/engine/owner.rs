//! The owner (such as an AWS account) of the resources in a ledger. Resources that can't be found with other
//! credentials may still exist.

use std::future::{Future, pending};

use crate::error::{Error, Result};
use crate::ledger::{Entry, Ledger};
use crate::platform::{Platform, Undo};
use crate::run::Run;

/// Runs `work` and meanwhile records in the ledger who owns the resources that it creates. The work does not wait for
/// the look-up; if it fails, the ledger has no owner.
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

/// Undoes one entry of a ledger: requests the deletion without waiting for it.
///
/// # Errors
/// When the entry belongs to another owner than the platform's credentials, or when undoing it fails.
pub async fn undo(run: &Run, platform: &dyn Platform, ledger: &Ledger, entry: &Entry) -> Result<Undo> {
    // With a role, the role's ARN names the account.
    if entry.role.is_none() {
        check(run, platform, ledger).await?;
    }
    platform.undo(run, entry).await
}

/// Checks that the platform's credentials are those of the ledger's owner: with others, what exists is not found and
/// counts as deleted.
///
/// # Errors
/// When they belong to another owner, or nobody can say whose they are.
pub(super) async fn check(run: &Run, platform: &dyn Platform, ledger: &Ledger) -> Result<()> {
    let Some(owner) = ledger.owner() else { return Ok(()) };
    let here = platform.owner(run).await?.unwrap_or_default();
    if here == owner {
        return Ok(());
    }
    Err(Error::preflight(format!("it belongs to {owner}, and this command uses {here}"))
        .help("Run `ami-bake sweep --yes` with the credentials and settings of the run that created it.")
        .denied())
}
