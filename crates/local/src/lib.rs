//! The local platform: machines are sandboxes of namespaces over an overlay file system, images are layers in a store.
//!
//! Imports run upward only: `sandbox` at the bottom, then `store` and `secrets`, `source`, `machine`, `export`, `images`,
//! `platform`, and `entry` (the hidden command line) on top.

mod capabilities;
mod entry;
mod export;
mod images;
mod machine;
mod platform;
mod preflight;
pub mod sandbox;
mod secrets;
mod source;
mod store;

pub use capabilities::CAPABILITIES;
pub use entry::dispatch;
pub use export::{Exported, Format, target as export_target};
pub use images::Images;
pub use platform::Local;
pub use store::{
    Base, DISK_LAYER, Image, MachineFolder, MachineInfo, OwnFiles, Remover, Store, Trash, architecture, default_store,
    find_image, new_id, store_error,
};
