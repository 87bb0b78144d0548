//! Registers and deletes images.

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, Result, Run};

use crate::capabilities::PLATFORM;
use crate::sandbox::Helper;
use crate::store::{Image, Store, Trash};

/// Registers a candidate, or an existing image under another name. An older image of the same version is deleted: on this
/// platform a fixed version is replaced once the tests have passed.
pub(crate) async fn register(
    store: &Store,
    helper: &Helper,
    run: &Run,
    image: &Candidate,
    how: &Registration<'_>,
) -> Result<ImageRecord> {
    let lock = store.lock().await?;
    let found = store.image(&image.image.id)?;
    let mut new = if found.candidate {
        found
    } else {
        let copy = Store::new_image(String::new(), found.base, found.layers, std::collections::BTreeMap::new());
        let ticket = run.intend(PLATFORM, IMAGE, None, &copy.id)?;
        run.ledger().confirm(ticket, &copy.id);
        copy
    };
    new.candidate = false;
    new.name.clone_from(&how.plan.settings.name);
    new.tags.clone_from(&how.tags);
    sync(store.layers_folder()).await?;
    store.write(&new)?;
    run.ledger().close_id(IMAGE, &new.id, Closed::Published);
    // The image exists, so a failed clean-up does not fail the bake.
    let mut replaced = Trash::default();
    if let Err(error) = delete_replaced(store, &new, &mut replaced) {
        run.warn(format!("could not delete what {} replaces: {error}", new.name), error.help_text().map(Into::into));
    }
    drop(lock);
    replaced.remove(helper);
    new.record().ok_or_else(|| Error::internal(format!("image {} was registered without ami-bake's own tags", new.id)))
}

/// Deletes an image and the layers that nothing else uses.
pub(crate) async fn delete(store: &Store, helper: &Helper, run: &Run, image: &str) -> Result<()> {
    let lock = store.lock().await?;
    let trash = store.delete(image)?;
    drop(lock);
    trash.remove(helper);
    run.ledger().close_id(IMAGE, image, Closed::Deleted);
    Ok(())
}

/// Deletes older images of the same version.
fn delete_replaced(store: &Store, new: &Image, replaced: &mut Trash) -> Result<()> {
    for old in store.images()? {
        if old.id != new.id && !old.candidate && is_same(&old, new) {
            replaced.append(store.delete(&old.id)?);
        }
    }
    Ok(())
}

fn is_same(one: &Image, other: &Image) -> bool {
    one.key().is_some() && one.key() == other.key() && one.version() == other.version()
}

/// Syncs the layers to the disk before the image that refers to them is written, since sandboxes do not sync.
async fn sync(folder: std::path::PathBuf) -> Result<()> {
    let work = move || std::fs::File::open(&folder).and_then(|file| Ok(rustix::fs::syncfs(file)?));
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Error::internal("could not wait for the disk").because(error))?;
    done.map_err(|error| Error::build("could not write the image to the disk").because(error))
}
