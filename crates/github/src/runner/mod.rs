//! The interface between a container action and the runner: environment, files, and commands on the output streams.

mod command;
mod environment;
mod files;
mod log;
mod untrusted;

pub use command::{Annotation, Level};
pub use environment::Environment;
pub use files::Files;
pub use log::Log;
pub use untrusted::{defuse, lines};
