//! Dispatches the hidden command line.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{COMMAND, EXEC, HOLD, RELAY, hold, relay};

/// The exit status when a helper itself fails.
const FAILED: u8 = 125;

/// Runs a helper when the first argument is `__vm`; `None` for every other command line. Must be called before any thread
/// or runtime starts.
///
/// `hold` exits with QEMU's status, with 128 and the signal's number when a signal ended it, and with 125 when it could
/// not be started.
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    let what = arguments.next().unwrap_or_default();
    let first = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
    let rest: Vec<OsString> = arguments.collect();
    let result = match what.to_str() {
        Some(HOLD) => hold::hold(&first, &rest),
        Some(EXEC) => hold::become_program(&first, &rest),
        Some(RELAY) => relay::relay(&first).map(|()| 0),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "unknown helper")),
    };
    Some(result.map_or_else(failed, ExitCode::from))
}

#[expect(clippy::disallowed_methods, reason = "its reader is this program")]
#[expect(clippy::needless_pass_by_value, reason = "the end of a result")]
fn failed(error: io::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "ami-bake: {error}");
    ExitCode::from(FAILED)
}
