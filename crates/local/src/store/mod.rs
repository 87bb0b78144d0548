//! The local image store: images as lists of layers, each layer stored once.
//!
//! ```text
//! images/ID.json      an image: name, tags, layers; written whole or not at all
//! layers/ID/          a layer's files, as an overlay's upper folder left them
//! machines/ID/        a running machine; its process holds `owner.lock`
//! trash/              files that are being removed
//! store.lock          held while images and layers change
//! ```

mod clean;
mod find;
mod folder;
mod image;

pub(crate) use clean::TARBALL_LAYER;
pub use clean::{DISK_LAYER, MachineInfo, OwnFiles, Remover, Trash};
pub use find::find as find_image;
pub use folder::{MachineFolder, Store, default_store, store_error};
pub use image::{Base, Image, architecture, new_id};
