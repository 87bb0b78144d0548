//! Images: committing, reading their labels, deleting.

mod commit;
mod config;
mod delete;
mod record;

pub(crate) use commit::{Commit, commit};
pub(crate) use delete::{delete, undo};
pub(crate) use record::{list, record, source_image};
