//! Images as files for others: an OCI image layout, a tarball of the root file system, a disk.
//!
//! The work is done by the hidden verb in a process of its own, since the files belong to a sandbox's users.

mod archive;
mod carry_out;
mod disk;
mod find;
mod format;
mod host;
mod local;
mod oci;
mod tree;

pub(crate) use carry_out::carry_out;
pub(crate) use find::find as find_image;
pub use format::Format;
pub use local::Exported;
