//! The changes on a machine become a layer of an image.

use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use super::Shared;
use crate::platform::PLATFORM;
use crate::store::{Image, Store, exists_error, new_id};

/// What the ledger calls an image, on every platform.
pub(crate) const IMAGE: &str = "image";

/// Takes the image of a machine whose processes have ended. The folder with its changes is moved, not copied: owners,
/// modes, times, attributes, hard links and the marks of deleted files are the machine's own.
pub(super) async fn capture(run: &Run, shared: &Shared, capture: &Capture<'_>) -> Result<Captured> {
    let layer = new_id("lyr");
    let mut layers = vec![layer.clone()];
    layers.extend(shared.stack.layers.iter().cloned());
    let image = Store::new_image(capture.name.clone(), shared.stack.base.clone(), layers, capture.tags.clone());
    let ticket = run.intend(PLATFORM, IMAGE, None, &image.id)?;
    // A layer without an image is nobody's, so that nobody may look between these two.
    let lock = shared.store.lock().await?;
    let from = shared.folder.upper();
    std::fs::rename(&from, shared.store.layer(&layer)).map_err(|error| exists_error("move", &from, error))?;
    shared.store.write(&image)?;
    drop(lock);
    run.ledger().confirm(ticket, &image.id)?;
    Ok(Captured(image))
}

/// An image that can be launched as soon as it is captured.
pub(crate) struct Captured(Image);

#[async_trait]
impl PendingImage for Captured {
    async fn available(self: Box<Self>, _run: &Run) -> Result<Candidate> {
        Ok(Candidate { image: self.0.source(), parts: self.0.layers })
    }
}
