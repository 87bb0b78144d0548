//! Captures the disk of a machine as a layer of an image.

use std::collections::BTreeMap;

use ami_bake_core::ledger::IMAGE;
use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Result, Run};
use ami_bake_local::{Base, Image, Store, new_id, store_error};
use async_trait::async_trait;

use super::state::VmState;
use super::stop::power_off;
use super::user::USER;
use crate::capabilities::PLATFORM;
use crate::qemu::{DISK, VARIABLES};

/// Tag with the firmware of an image, for its exports.
pub(crate) const FIRMWARE: &str = "ami-bake:firmware";

/// Switches the machine off and moves its disk to the store. The disk has only what differs from the source's.
pub(super) async fn capture(state: &VmState, run: &Run, order: &Capture<'_>) -> Result<Captured> {
    power_off(state, run).await?;
    state.running().qemu = None;
    let layer = new_id("lyr");
    let mut layers = vec![layer.clone()];
    layers.extend(state.info.layers.iter().cloned());
    // The login name and the firmware become tags of the image, for images built on it.
    let mut tags: BTreeMap<String, String> = order.tags.clone();
    let user = state.running().ssh.as_ref().map_or_else(|| state.user.clone(), |ssh| ssh.user());
    tags.insert(USER.to_owned(), user);
    tags.insert(FIRMWARE.to_owned(), if state.uefi { "uefi" } else { "bios" }.to_owned());
    let mut image = Store::new_image(order.name.clone(), Base::Layers, layers, tags);
    image.architecture = Some(state.architecture);
    let ticket = run.intend(PLATFORM, IMAGE, None, &image.id)?;
    let store = state.images.store();
    // A layer without an image would be removed by other processes; the lock keeps them out until the image is written.
    let lock = store.lock().await?;
    let to = store.layer(&layer);
    std::fs::create_dir(&to).map_err(|error| store_error("create the folder", &to, error))?;
    let files: &[&str] = if state.uefi { &[DISK, VARIABLES] } else { &[DISK] };
    for file in files {
        let from = state.path().join(file);
        std::fs::rename(&from, to.join(file)).map_err(|error| store_error("move", &from, error))?;
    }
    store.write(&image)?;
    drop(lock);
    run.ledger().confirm(ticket, &image.id);
    // What is left of the machine is not needed any more.
    super::stop::discard(state).await?;
    run.ledger().close_id(ami_bake_core::ledger::MACHINE, &state.id, ami_bake_core::ledger::Closed::Deleted);
    Ok(Captured(image))
}

/// An image that can be launched as soon as it is captured.
pub(super) struct Captured(Image);

#[async_trait]
impl PendingImage for Captured {
    async fn available(self: Box<Self>, _run: &Run) -> Result<Candidate> {
        Ok(Candidate { image: self.0.source(), parts: self.0.layers })
    }
}
