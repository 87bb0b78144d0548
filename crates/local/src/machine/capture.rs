//! Captures the changes on a machine as a layer of an image.

use ami_bake_core::ledger::IMAGE;
use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Result, Run};
use async_trait::async_trait;

use super::state::SandboxState;
use crate::capabilities::PLATFORM;
use crate::store::{Image, Store, new_id, store_error};

/// Captures a machine whose processes have ended. The folder with its changes is moved, not copied, so that owners, modes,
/// times, attributes, hard links and the marks of deleted files are kept.
pub(super) async fn capture(run: &Run, sandbox: &SandboxState, capture: &Capture<'_>) -> Result<Captured> {
    let layer = new_id("lyr");
    let mut layers = vec![layer.clone()];
    layers.extend(sandbox.stack.layers.iter().cloned());
    let image = Store::new_image(capture.name.clone(), sandbox.stack.base.clone(), layers, capture.tags.clone());
    let ticket = run.intend(PLATFORM, IMAGE, None, &image.id)?;
    // A layer without an image would be removed by other processes; the lock keeps them out until the image is written.
    let lock = sandbox.store.lock().await?;
    let from = sandbox.folder.upper();
    std::fs::rename(&from, sandbox.store.layer(&layer)).map_err(|error| store_error("move", &from, error))?;
    sandbox.store.write(&image)?;
    drop(lock);
    run.ledger().confirm(ticket, &image.id);
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
