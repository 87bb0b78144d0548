//! How a container action and the runner talk: environment, files, and commands on the output streams.

mod command;
mod environment;
mod files;
mod log;
mod untrusted;

pub use command::{Annotation, Level, MESSAGE_LIMIT};
pub use environment::Environment;
pub use files::{Files, SUMMARY_LIMIT};
pub use log::{ANNOTATIONS, Log};
pub use untrusted::{defuse, lines};
