//! Exports images as files for other programs: disks of several formats, and Vagrant boxes.

mod format;
mod to_file;
mod vagrant;

pub use format::Format;
pub use to_file::Exported;
pub(crate) use to_file::export;
