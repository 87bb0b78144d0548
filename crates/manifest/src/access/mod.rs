//! Access of a manifest or a template to the computer that runs the bake: files and environment variables.

pub mod credential;
mod environment;
mod files;

pub(crate) use environment::PREFIX;
pub use environment::{EnvLimit, HiddenVariable, VisibleEnv};
pub use files::{FileAccess, FileError};
