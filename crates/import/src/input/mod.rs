//! The input as it is read: every value that is looked at is ticked off, and what is left is told.

mod finding;
mod log;
mod reader;

pub use finding::{Finding, Kind};
pub(crate) use log::{Log, key};
pub(crate) use reader::Reader;
