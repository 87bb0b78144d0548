//! Exports images as files: an OCI image layout, a tarball of the root file system, a disk.
//!
//! The files are written by a separate process, since they belong to the users of a sandbox.

mod archive;
mod disk;
mod format;
mod host;
mod oci;
mod plan;
mod to_file;
mod tree;
mod write;

pub use format::Format;
pub(crate) use to_file::export;
pub use to_file::{Exported, target};
pub(crate) use write::main;
