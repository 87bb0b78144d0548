//! Cleans up after earlier runs.

use ami_bake_core::platform::{ImageRecord, Orphan};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Result, Run};

use crate::sandbox::Helper;
use crate::store::{Image, Store};

/// Kind of an orphaned machine.
pub(crate) const SANDBOX: &str = "sandbox";

/// Removes what killed processes left: machines, layers without an image, trash. A failure is only logged: the next run
/// retries, and `sweep` reports it.
pub(crate) async fn clean_up(store: &Store, helper: &Helper, run: &Run) {
    if let Err(error) = try_clean_up(store, helper, run).await {
        tracing::debug!(%error, "could not clean up after earlier runs");
    }
}

async fn try_clean_up(store: &Store, helper: &Helper, run: &Run) -> Result<()> {
    let mut trash = store.old_trash();
    for dead in store.dead_machines(run.clock().now()) {
        trash.append(store.discard_machine(&dead.id)?);
    }
    let lock = store.lock().await?;
    trash.append(store.discard_unused_layers()?);
    drop(lock);
    trash.remove(helper);
    Ok(())
}

/// Machines whose process has ended, and expired images: candidates, and tested pre-releases that no other image was built
/// on.
pub(crate) fn expired(store: &Store, run: &Run) -> Result<Vec<Orphan>> {
    let now = run.clock().now();
    let machines = store.dead_machines(now).into_iter().map(|dead| Orphan {
        kind: SANDBOX.to_owned(),
        id: dead.id,
        region: None,
        role: None,
        account: None,
        run: Some(dead.info.run).filter(|run| !run.is_empty()),
        expired: dead.info.kept,
        about: dead.info.purpose,
    });
    let all: Vec<ImageRecord> = store.images()?.iter().filter_map(Image::record).collect();
    let images = expired_images(&all, now).into_iter().map(|image| Orphan::image(image, now));
    Ok(machines.chain(images).collect())
}
