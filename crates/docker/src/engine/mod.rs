//! The way to the engine: where it is, whether it answers, and what its refusals mean.

mod address;
mod connect;
mod error;
mod socket;

pub use address::Settings;
pub(crate) use connect::connect;
pub(crate) use error::{Said, failed, is_conflict, is_missing, said};
