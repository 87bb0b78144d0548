//! What earlier runs left behind.

use ami_bake_core::platform::{ImageRecord, Orphan, Platform, Undo};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Result, Run, tags};

use crate::machine::IMAGE;
use crate::platform::Local;
use crate::store::Image;

/// A machine whose process is gone.
const MACHINE: &str = "sandbox";

/// Takes away what killed processes left: machines, layers without an image, trash. Failing is no harm: the next run
/// tries again, and `sweep` says why it can't.
pub(crate) async fn tidy(local: &Local, run: &Run) {
    if let Err(error) = tidy_or_fail(local, run).await {
        tracing::debug!(%error, "what earlier runs left stays");
    }
}

async fn tidy_or_fail(local: &Local, run: &Run) -> Result<()> {
    let mut trash = local.store.old_trash();
    for dead in local.store.dead_machines(run.clock().now()) {
        trash.0.append(&mut local.store.discard_machine(&dead.id)?.0);
    }
    let lock = local.store.lock().await?;
    trash.0.append(&mut local.store.discard_unused_layers()?.0);
    drop(lock);
    local.helper.empty(trash);
    Ok(())
}

/// Machines that nobody holds, and images whose end has come: candidates, and tested pre-releases that no other image was
/// built on.
pub(crate) fn expired(local: &Local, run: &Run) -> Result<Vec<Orphan>> {
    let now = run.clock().now();
    let machines = local.store.dead_machines(now).into_iter().map(|dead| Orphan {
        kind: MACHINE.to_owned(),
        id: dead.id,
        region: None,
        run: Some(dead.about.run).filter(|run| !run.is_empty()),
        expired: dead.about.kept,
        about: dead.about.purpose,
    });
    let all: Vec<ImageRecord> = local.store.images()?.iter().filter_map(Image::record).collect();
    let images = expired_images(&all, now).into_iter().map(|image| Orphan {
        kind: IMAGE.to_owned(),
        region: None,
        run: image.tags.get(tags::RUN).cloned(),
        expired: image.expired(now),
        about: image.name.clone(),
        id: image.id.clone(),
    });
    Ok(machines.chain(images).collect())
}

/// Deletes one leftover.
pub(crate) async fn remove(local: &Local, run: &Run, leftover: &Orphan) -> Result<Undo> {
    if leftover.kind == MACHINE {
        local.helper.empty(local.store.discard_machine(&leftover.id)?);
    } else {
        local.delete_image(run, &leftover.id).await?;
    }
    Ok(Undo::Done)
}
