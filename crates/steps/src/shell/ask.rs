//! Runs this program's own scripts on the machine and reads their output.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, sanitize};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};

use super::Program;

/// Time limit for this program's own scripts: on a working machine none takes that long.
const LIMIT: Duration = Duration::from_mins(10);

/// The result of a script.
pub(crate) struct ScriptOutput {
    /// Exit status of the script.
    pub(crate) status: i32,
    /// Standard output, invalid UTF-8 replaced.
    pub(crate) stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub(crate) stderr: String,
}

impl ScriptOutput {
    /// Standard output of a script that must exit with 0.
    pub(crate) fn text(self, what: &str) -> Result<String> {
        if self.status == 0 {
            return Ok(self.stdout);
        }
        let said = self.stderr.lines().last().map(|line| format!(": {}", sanitize(line))).unwrap_or_default();
        Err(Error::build(format!("could not {what}: the machine's shell exited with status {}{said}", self.status)))
    }
}

/// Runs a POSIX script of our own as root. `what` is its purpose, for error messages.
///
/// # Errors
/// When the run is cancelled, or the script was killed, timed out or lost its connection.
pub(crate) async fn ask(run: &Run, on: &ConnectedMachine<'_>, what: &str, script: &str) -> Result<ScriptOutput> {
    answered(run, on, what, Program::alone(script)).await
}

/// Like [`ask`], with `bytes` for the script on file descriptor 5.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ask_with(
    run: &Run,
    on: &ConnectedMachine<'_>,
    what: &str,
    script: &str,
    bytes: &[u8],
) -> Result<ScriptOutput> {
    answered(run, on, what, Program::fed(script, bytes)).await
}

async fn answered(run: &Run, on: &ConnectedMachine<'_>, what: &str, program: Program<'_>) -> Result<ScriptOutput> {
    let mut collect = Collect::default();
    let exec = program.exec().timeout(LIMIT);
    let exit = run.until_cancelled(on.communicator.exec(exec, &mut collect)).await??;
    let (stdout, stderr) = (collect.stdout_text(), collect.stderr_text());
    match exit {
        Exit::Status(status) => Ok(ScriptOutput { status, stdout, stderr }),
        Exit::Signal(signal) => {
            Err(Error::build(format!("could not {what}: killed on the machine by signal {signal}")))
        }
        Exit::TimedOut(limit) => Err(Error::build(format!(
            "could not {what}: no answer from the machine within {}",
            ami_bake_core::duration::human(limit)
        ))),
        Exit::Lost(seen) => {
            Err(Error::build(format!("could not {what}: the connection to the machine was lost ({})", sanitize(&seen)))
                .help("Check the machine's console: it may have restarted or run out of memory."))
        }
    }
}
