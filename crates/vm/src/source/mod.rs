//! Source images: a disk in a file or on a web server, or an image of the store.

mod download;
mod find;
mod import;

pub(crate) use find::find;
pub(crate) use import::{layers, provide};
