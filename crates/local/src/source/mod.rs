//! Source images: this system, a folder, a tarball, or an image of the store.

mod find;
mod identity;
mod root;
mod stack;
mod tarball;

pub(crate) use find::find;
pub(crate) use stack::{Stack, stack};
