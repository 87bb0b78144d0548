//! The only way to standard output and standard error.
//!
//! All output is cleaned in the same way: text from machines, reports, tags and manifests can neither control a
//! terminal nor be a workflow command, and no secret is shown. clippy refuses `print!`, `std::io::stdout` and the like
//! anywhere else.

mod clean;
mod json;
mod marks;
mod named;
mod panic;
mod writer;

pub(crate) use clean::{Cleaner, LineRule};
#[allow(unused_imports, reason = "a build without the feature `github` does not use it")]
pub(crate) use json::json_text;
pub(crate) use marks::{mark, own};
pub(crate) use named::{Named, named};
pub(crate) use panic::catch_panics;
pub(crate) use writer::{Out, are_terminals};
#[allow(unused_imports, reason = "a build without the feature `github` does not use it")]
pub(crate) use writer::{commands, commands_on_stderr};
