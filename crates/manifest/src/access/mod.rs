//! What a manifest or a template may read of the computer that runs the bake: files, and variables of the environment.

pub mod credential;
mod environment;
mod files;

pub(crate) use environment::PREFIX;
pub use environment::{EnvLimit, HiddenVariable, VisibleEnv};
pub use files::{FileAccess, FileError};
