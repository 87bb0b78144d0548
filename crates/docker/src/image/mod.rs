//! Images: what a commit makes, what its labels say, how one goes again.

mod commit;
mod config;
mod delete;
mod record;
mod register;

pub(crate) use commit::{Commit, commit};
pub(crate) use delete::{delete, delete_reference};
pub(crate) use record::{list, record, source_image};
pub(crate) use register::register;
