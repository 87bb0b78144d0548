//! Gives a tested image its final name.

use ami_bake_core::ledger::Closed;
use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, Result, Run};

use crate::machine::IMAGE;
use crate::platform::{Local, PLATFORM};
use crate::store::{Image, Store};

/// Registers a candidate, or an image that is there already under another name. An image of the same version goes: on
/// this platform a fixed version is replaced once the tests passed.
pub(crate) async fn register(
    local: &Local,
    run: &Run,
    image: &Candidate,
    how: &Registration<'_>,
) -> Result<ImageRecord> {
    let lock = local.store.lock().await?;
    let found = local.store.image(&image.image.id)?;
    let mut new = if found.candidate {
        found
    } else {
        let again = Store::new_image(String::new(), found.base, found.layers, std::collections::BTreeMap::new());
        let ticket = run.intend(PLATFORM, IMAGE, None, &again.id)?;
        run.ledger().confirm(ticket, &again.id)?;
        again
    };
    new.candidate = false;
    new.name.clone_from(&how.plan.settings.name);
    new.tags.clone_from(&how.tags);
    sync(local.store.layers_folder()).await?;
    local.store.write(&new)?;
    let mut replaced = Vec::new();
    for old in local.store.images()? {
        if old.id != new.id && !old.candidate && is_same(&old, &new) {
            replaced.append(&mut local.store.delete(&old.id)?.0);
        }
    }
    drop(lock);
    local.helper.empty(crate::store::Trash(replaced));
    run.ledger().close_id(IMAGE, &new.id, Closed::Published)?;
    new.record().ok_or_else(|| Error::internal(format!("image {} was registered without ami-bake's own tags", new.id)))
}

fn is_same(one: &Image, other: &Image) -> bool {
    one.key().is_some() && one.key() == other.key() && one.version() == other.version()
}

/// Brings the layers to the disk before the image that names them: sandboxes do not sync.
async fn sync(folder: std::path::PathBuf) -> Result<()> {
    let work = move || std::fs::File::open(&folder).and_then(|file| Ok(rustix::fs::syncfs(file)?));
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Error::internal("wait for the disk").because(error))?;
    done.map_err(|error| Error::build("write the image to the disk").because(error))
}
