//! Runs scripts of other crates in the same way as this crate's own.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};

use super::{Interpreter, LastLines, Script, Tail};

/// A script and the arguments of its run.
#[derive(Debug, Clone, Copy)]
pub struct ScriptCall<'a> {
    /// The script; its standard input is empty.
    pub script: &'a str,
    /// The shell's command line.
    pub shell: &'a str,
    /// The folder to run in. Default: `/`.
    pub folder: Option<&'a str>,
    /// Time limit of the script.
    pub timeout: Option<Duration>,
}

/// How a script ended.
pub struct ScriptEnd {
    /// How the script ended.
    pub exit: Exit,
    /// The end of its output, sanitized and masked, as the cause of an error.
    pub words: Option<LastLines>,
}

/// Runs a script as root, with the environment of `step`.
///
/// # Errors
/// When the run is cancelled, or the script could not be started.
pub async fn call(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    call: ScriptCall<'_>,
    output: &mut dyn OutputSink,
) -> Result<ScriptEnd> {
    let mut tail = Tail::new(output);
    let mut script = Script::text(call.script, Interpreter::of(Some(call.shell))?);
    (script.folder, script.timeout) = (call.folder, call.timeout);
    let exit = script.execute(run, on, step, &mut tail).await?;
    let words = tail.last_lines(run);
    Ok(ScriptEnd { exit, words })
}
