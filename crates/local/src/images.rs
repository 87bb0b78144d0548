//! Registers and deletes images, and cleans up after earlier runs.

use std::sync::Arc;

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::plan::{BakedQuery, SourceImage};
use ami_bake_core::platform::{Candidate, ImageQuery, ImageRecord, Orphan, Registration};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Error, Result, Run};

use crate::store::{Image, Remover, Store, Trash};

/// The images and machines of one platform in a store.
#[derive(Debug, Clone)]
pub struct Images {
    store: Store,
    /// Name of the platform in the ledger.
    platform: &'static str,
    /// Kind of an orphaned machine.
    machine: &'static str,
    remover: Arc<dyn Remover>,
}

impl Images {
    /// The images of a platform in its store. `machine` names its machines as orphans.
    pub fn new(store: Store, platform: &'static str, machine: &'static str, remover: Arc<dyn Remover>) -> Self {
        Self { store, platform, machine, remover }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Images that match a query, candidates included.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn list(&self, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        Ok(self.store.images()?.iter().filter_map(Image::record).filter(|image| query.matches(image)).collect())
    }

    /// The highest tested version in the query's range.
    ///
    /// # Errors
    /// When there is none.
    pub fn baked(&self, query: &BakedQuery) -> Result<SourceImage> {
        let images = self.store.images()?;
        let fits = |image: &&Image| image.record().is_some_and(|record| record.satisfies(query));
        let highest = images.iter().filter(fits).max_by_key(|image| image.version());
        highest.map(Image::source).ok_or_else(|| {
            let range = query.version.as_ref().map(|range| format!(" {range}")).unwrap_or_default();
            Error::preflight(format!("no tested image `{}/{}{range}` in the local store", query.namespace, query.key))
                .help("`ami-bake images` lists the images. Bake that image first, or widen the version range.")
        })
    }

    /// Registers a candidate, or an existing image under another name. An older image of the same version is deleted: in
    /// a store a fixed version is replaced once the tests have passed.
    ///
    /// # Errors
    /// When the image is missing, or can't be written.
    pub async fn register(&self, run: &Run, image: &Candidate, how: &Registration<'_>) -> Result<ImageRecord> {
        let lock = self.store.lock().await?;
        let found = self.store.image(&image.image.id)?;
        let mut new = if found.candidate {
            found
        } else {
            let mut copy = Store::new_image(String::new(), found.base, found.layers, std::collections::BTreeMap::new());
            copy.architecture = found.architecture;
            let ticket = run.intend(self.platform, IMAGE, None, &copy.id)?;
            run.ledger().confirm(ticket, &copy.id);
            copy
        };
        new.candidate = false;
        new.name.clone_from(&how.plan.settings.name);
        new.tags.clone_from(&how.tags);
        sync(self.store.layers_folder()).await?;
        self.store.write(&new)?;
        run.ledger().close_id(IMAGE, &new.id, Closed::Published);
        // The image exists, so a failed clean-up does not fail the bake.
        let mut replaced = Trash::default();
        if let Err(error) = self.delete_replaced(&new, &mut replaced) {
            run.warn(
                format!("could not delete what {} replaces: {error}", new.name),
                error.help_text().map(Into::into),
            );
        }
        drop(lock);
        replaced.remove(self.remover.as_ref());
        new.record()
            .ok_or_else(|| Error::internal(format!("image {} was registered without ami-bake's own tags", new.id)))
    }

    /// Deletes an image and the layers that nothing else uses. A missing image is success.
    ///
    /// # Errors
    /// When it can't be deleted.
    pub async fn delete(&self, run: &Run, image: &str) -> Result<()> {
        let lock = self.store.lock().await?;
        let trash = self.store.delete(image)?;
        drop(lock);
        trash.remove(self.remover.as_ref());
        run.ledger().close_id(IMAGE, image, Closed::Deleted);
        Ok(())
    }

    /// Deletes the folder of a machine that has ended. A missing folder is success.
    ///
    /// # Errors
    /// When it can't be moved to the trash.
    pub fn discard_machine(&self, id: &str) -> Result<()> {
        self.store.discard_machine(id)?.remove(self.remover.as_ref());
        Ok(())
    }

    /// Removes what killed processes left: machines, layers without an image, trash. A failure is only logged: the next
    /// run retries, and `sweep` reports it.
    pub async fn clean_up(&self, run: &Run) {
        if let Err(error) = self.try_clean_up(run).await {
            tracing::debug!(%error, "could not clean up after earlier runs");
        }
    }

    async fn try_clean_up(&self, run: &Run) -> Result<()> {
        let mut trash = self.store.old_trash();
        for dead in self.store.dead_machines(run.clock().now()) {
            trash.append(self.store.discard_machine(&dead.id)?);
        }
        let lock = self.store.lock().await?;
        trash.append(self.store.discard_unused_layers()?);
        drop(lock);
        trash.remove(self.remover.as_ref());
        Ok(())
    }

    /// Machines whose process has ended, and expired images: candidates, and tested pre-releases that no other image was
    /// built on.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn expired(&self, run: &Run) -> Result<Vec<Orphan>> {
        let now = run.clock().now();
        let machines = self.store.dead_machines(now).into_iter().map(|dead| Orphan {
            kind: self.machine.to_owned(),
            id: dead.id,
            region: None,
            role: None,
            account: None,
            run: Some(dead.info.run).filter(|run| !run.is_empty()),
            expired: dead.info.kept,
            about: dead.info.purpose,
        });
        let all: Vec<ImageRecord> = self.store.images()?.iter().filter_map(Image::record).collect();
        let images = expired_images(&all, now).into_iter().map(|image| Orphan::image(image, now));
        Ok(machines.chain(images).collect())
    }

    /// Deletes an orphan that [`Images::expired`] found.
    ///
    /// # Errors
    /// When it can't be deleted.
    pub async fn remove(&self, run: &Run, orphan: &Orphan) -> Result<()> {
        if orphan.kind == self.machine { self.discard_machine(&orphan.id) } else { self.delete(run, &orphan.id).await }
    }

    /// Deletes older images of the same version.
    fn delete_replaced(&self, new: &Image, replaced: &mut Trash) -> Result<()> {
        for old in self.store.images()? {
            if old.id != new.id && !old.candidate && is_same(&old, new) {
                replaced.append(self.store.delete(&old.id)?);
            }
        }
        Ok(())
    }
}

fn is_same(one: &Image, other: &Image) -> bool {
    one.key().is_some() && one.key() == other.key() && one.version() == other.version()
}

/// Syncs the layers to the disk before the image that refers to them is written, since machines do not sync.
async fn sync(folder: std::path::PathBuf) -> Result<()> {
    let work = move || std::fs::File::open(&folder).and_then(|file| Ok(rustix::fs::syncfs(file)?));
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Error::internal("could not wait for the disk").because(error))?;
    done.map_err(|error| Error::build("could not write the image to the disk").because(error))
}
