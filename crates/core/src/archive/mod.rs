//! Unpacks untrusted archives: what a machine sends for a `download`, and the tar file of a root file system.
//!
//! [`entries::for_each`] reads an archive with limits and checks its names; all callers use it. [`unpack`] and
//! [`Unpack`] write files, folders and links below a folder, and nothing outside of it, whatever the archive contains.

mod content;
mod entries;
mod error;
mod folder;
mod limits;
mod links;
mod merge;
#[cfg(test)]
mod tests;
mod unpack;

pub use content::{copy, link_target};
pub use entries::{Entry, Meter, Names, for_each, plain_path};
pub use error::ArchiveError;
pub use limits::ArchiveLimits;
pub use unpack::{Root, Unpack, Unpacked, unpack};
