//! The connection to the Docker daemon: its address, transport and TLS, and the translation of its errors.

mod address;
mod connect;
mod error;
mod socket;
mod tls;

pub use address::Settings;
pub(crate) use connect::connect;
pub(crate) use error::{EngineMessage, failed, is_conflict, is_missing, message};
