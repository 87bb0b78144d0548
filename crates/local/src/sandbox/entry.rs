//! The hidden command line of the re-executed binary.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use ami_bake_core::{Error, Result};

use super::{enter, files, holder, init, raw, users, within};

/// The hidden verb: `ami-bake __sandbox …`. It has to be dispatched before any thread or runtime starts.
pub const VERB: &str = "__sandbox";

/// The exit status of a holder whose sandbox could not be set up.
pub(super) const FAILED: u8 = 125;

/// The helper that writes the user maps; see [`users`].
pub(super) const MAP: &str = "--map";
/// PID 1 of a sandbox.
pub(super) const INIT: &str = "--init";
/// Enters a sandbox from outside; see [`enter`].
pub(crate) const ENTER: &str = "--enter";
/// The part of entering that runs inside; see [`within`].
pub(super) const WITHIN: &str = "--within";
/// Works on files of a sandbox's users; see [`files`].
pub(crate) const FILES: &str = "--files";

/// Runs the sandbox's part when the first argument is [`VERB`]; `None` for every other command line.
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != VERB {
        return None;
    }
    let first = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    Some(run(&first, &rest))
}

/// Runs the sandbox that the file describes, in the foreground. The exit status is its init program's, 128 and the
/// signal's number when a signal ended that, 125 when the sandbox could not be set up.
pub fn main(spec_path: &Path) -> ExitCode {
    let rest: Vec<OsString> = std::env::args_os().skip(3).collect();
    run(spec_path.as_os_str(), &rest)
}

fn run(first: &OsStr, rest: &[OsString]) -> ExitCode {
    let outcome = raw::keep_descriptors_in().map_err(|error| failed("read /proc/self/fd", error)).and_then(|()| {
        match first.to_str() {
            Some(INIT) => init::main(),
            Some(MAP) => users::map_main(rest),
            Some(ENTER) => enter::main(rest),
            Some(WITHIN) => within::main(rest),
            Some(FILES) => files::main(rest),
            _ => holder::main(Path::new(first)),
        }
    });
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "ami-bake sandbox: failed to {}", describe(&error));
        ExitCode::from(FAILED)
    })
}

/// The failure with its causes and help, on as many lines as it has.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text.push_str(": ");
        text.push_str(&cause);
    }
    if let Some(help) = error.help_text() {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    text
}

/// A step of the set-up that failed.
pub(super) fn failed(what: impl Into<String>, error: impl Into<std::io::Error>) -> Error {
    Error::build(what).because(error.into())
}

/// Adds what was being done to a failed call.
pub(super) trait Context<T> {
    /// `what` is only made when the call failed.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| failed(what(), error))
    }
}

/// A failure as the hidden verb told it on standard error.
pub(crate) fn said(stderr: &[u8]) -> Error {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim().strip_prefix("ami-bake sandbox: failed to ").unwrap_or(text.trim());
    // What other programs of the sandbox said comes before; the last word is ours.
    let text = text.rsplit("ami-bake sandbox: failed to ").next().unwrap_or(text);
    from_text(text)
}

/// A failure that crossed a process: its sentence, and its help behind a line end.
pub(crate) fn from_text(text: &str) -> Error {
    match text.split_once("\nhelp: ") {
        Some((message, help)) => Error::build(message.trim()).help(help.trim()),
        None if text.trim().is_empty() => Error::build("run the sandbox: it ended without a word"),
        None => Error::build(text.trim()),
    }
}
