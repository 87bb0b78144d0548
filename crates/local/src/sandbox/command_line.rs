//! Dispatches the hidden command line to the processes of a sandbox.

use std::ffi::OsString;
use std::process::ExitCode;

use ami_bake_core::{Error, Result};

use super::arguments::{ENTER, FILES, INIT, MAP, WITHIN};
use super::{enter, file_task, init, users, within};

/// Runs the process for this flag.
///
/// # Errors
/// When the flag is unknown or the process fails.
pub(crate) fn run(flag: &str, arguments: &[OsString]) -> Result<ExitCode> {
    match flag {
        INIT => init::main(),
        MAP => users::map_main(arguments),
        ENTER => enter::main(arguments),
        WITHIN => within::main(arguments),
        FILES => file_task::main(arguments),
        _ => Err(Error::internal(format!("could not run the sandbox: unknown flag {flag}"))),
    }
}
