//! The machine that a document runs on, and what can be reached from it.

mod deadline;
mod fetch;
mod metadata;
mod shell;

pub(crate) use deadline::Deadline;
pub(crate) use fetch::{FetchError, FetchRequest, fetch, shown};
pub(crate) use metadata::metadata;
pub(crate) use shell::{Machine, RESTART, broken};
