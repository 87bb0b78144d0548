//! Releases: a block in their notes, the report among their files, and the report of the previous version.

mod last;
mod notes;
mod update;

pub use last::{LastReport, last};
pub use notes::{merged, render};
pub use update::{MissingRelease, Updated, update};
