//! Checks a document, and a step's use of it, before a machine starts.

mod arn;
mod missing_set_e;
mod platform;
mod references;
mod usage;
mod validate;

pub use validate::{phases, validate};
