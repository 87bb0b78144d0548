//! Runs a document: its phases and steps.

mod phases;
mod step;

pub(crate) use phases::run;
