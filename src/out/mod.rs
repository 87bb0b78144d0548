//! The only way to standard output and standard error.
//!
//! Everything passes the same cleaning: text from machines, reports, tags and manifests can neither steer a terminal nor
//! be a workflow command, and no secret is shown. clippy refuses `print!`, `std::io::stdout` and the like anywhere else.

mod clean;
mod json;
mod marks;
mod panic;
mod writer;

pub(crate) use clean::{Cleaner, LineRule};
pub(crate) use json::json_text;
pub(crate) use marks::{mark, own};
pub(crate) use panic::catch_panics;
pub(crate) use writer::{Out, are_terminals, commands};
