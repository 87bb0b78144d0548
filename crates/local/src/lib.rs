//! The local platform: machines are sandboxes of namespaces over an overlay file system, images are layers in a store.

mod export;
mod machine;
mod platform;
mod preflight;
mod publish;
mod secrets;
mod source;
mod store;
mod sweep;

pub mod sandbox;

pub use export::{Exported, Format};
pub use platform::{CAPABILITIES, Local};
pub use store::{Base, Image, Store, default_store};
