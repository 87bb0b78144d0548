//! The connection to the Docker daemon: its address, whether it answers, and what its errors mean.

mod address;
mod connect;
mod error;
mod socket;

pub use address::Settings;
pub(crate) use connect::connect;
pub(crate) use error::{EngineMessage, failed, is_conflict, is_missing, message};
