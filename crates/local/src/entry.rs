//! The hidden command line of the re-executed program, `ami-bake __sandbox …`.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use ami_bake_core::Error;

use crate::{export, sandbox};

/// Runs a sandbox process when the first argument is [`COMMAND`](sandbox::COMMAND); `None` for every other command
/// line. Must be called before any thread or runtime starts.
///
/// The exit status of `__sandbox SPEC.json` is the init program's, 128 and the signal's number when a signal ended it, and
/// 125 when the sandbox could not be set up.
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != sandbox::COMMAND {
        return None;
    }
    let first = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    Some(run(&first, &rest))
}

#[expect(clippy::disallowed_methods, reason = "its reader is this program")]
fn run(first: &OsStr, rest: &[OsString]) -> ExitCode {
    let result = sandbox::close_descriptors_on_exec()
        .map_err(|error| Error::build("could not read /proc/self/fd").because(error))
        .and_then(|()| match first.to_str() {
            Some(sandbox::EXPORT) => export::main(rest),
            Some(flag) if flag.starts_with("--") => sandbox::run(flag, rest),
            _ => sandbox::hold(Path::new(first)),
        });
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{}", sandbox::failure_text(&error));
        ExitCode::from(sandbox::SETUP_FAILED)
    })
}
