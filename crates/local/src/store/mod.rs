//! The local store: images as lists of layers, each layer kept once.
//!
//! ```text
//! images/ID.json      an image: name, tags, layers; written whole or not at all
//! layers/ID/          a layer's files, as an overlay's upper folder left them
//! machines/ID/        a running machine; `owner.lock` is held by the process that it belongs to
//! trash/              what is being removed
//! store.lock          held while images and layers change
//! ```

mod clean;
mod folder;
mod image;

pub(crate) use clean::{About, Trash};
pub(crate) use folder::{MachineFolder, exists_error};
pub use folder::{Store, default_store};
pub(crate) use image::new_id;
pub use image::{Base, Image};
