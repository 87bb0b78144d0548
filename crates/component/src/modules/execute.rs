//! `ExecuteBash` and `ExecuteBinary`: the exit status is the result, and 194 requests a restart.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use async_trait::async_trait;

use super::Attempt;
use super::inputs::Inputs;
use super::system::restart;
use crate::machine::{RESTART, broken};
use crate::scope::Outputs;

/// Maximum number of restarts by one step: Systems Manager's limit for a command (`Mds.CommandRetryLimit`).
const RESTARTS: u32 = 15;
/// Maximum bytes of standard output that a reference can have.
const KEPT: usize = 1 << 20;

/// Runs all commands as one bash script, without `set -e` (as AWSTOE does).
pub(super) async fn bash(
    attempt: &Attempt<'_>,
    inputs: Inputs<'_>,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let script = inputs.texts("commands").join("\n");
    execute(attempt, "bash", &format!("{script}\n"), outputs, output).await
}

/// Runs a program with its arguments.
pub(super) async fn binary(
    attempt: &Attempt<'_>,
    inputs: Inputs<'_>,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let words = std::iter::once(inputs.path("path")?).chain(inputs.texts("arguments").into_iter().map(str::to_owned));
    let words: Vec<String> = words.map(|word| quote(&word)).collect();
    execute(attempt, "sh", &format!("exec {}\n", words.join(" ")), outputs, output).await
}

async fn execute(
    attempt: &Attempt<'_>,
    shell: &str,
    script: &str,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let machine = attempt.machine;
    let mut restarts = 0;
    loop {
        let mut heard = Captured { to: output, quiet: attempt.step.quiet, stdout: Vec::new(), open: [false; 2] };
        let ended = machine.script(shell, script, attempt.deadline, &mut heard).await;
        heard.end();
        let ended = ended?;
        if heard.stdout.len() > KEPT {
            outputs.remove("stdout");
        } else {
            // No script can contain a NUL; a shell's own `$(…)` also drops them.
            let text = String::from_utf8_lossy(&heard.stdout).replace('\0', "");
            outputs.insert("stdout".to_owned(), text.trim_end_matches(['\n', '\r']).to_owned());
        }
        match ended.exit {
            Exit::Status(0) => return Ok(()),
            Exit::Status(RESTART) if restarts == RESTARTS => {
                return Err(Error::build(format!("it asked for more than {RESTARTS} restarts"))
                    .help("A script that exits with 194 runs again after the restart: have it leave a marker file and check for it."));
            }
            Exit::Status(RESTART) => {
                restarts += 1;
                machine.run.progress(format!("{}: restarting the machine (exit status 194)", attempt.step.name));
                restart(attempt, Duration::ZERO).await?;
            }
            exit => {
                let error = broken(&exit, attempt.deadline);
                return Err(match ended.words {
                    Some(words) if !attempt.step.quiet => error.because(words),
                    _ => error,
                });
            }
        }
    }
}

/// Passes output on, and keeps the beginning of standard output.
struct Captured<'a> {
    to: &'a mut dyn OutputSink,
    quiet: bool,
    stdout: Vec<u8>,
    /// For each stream, true if its last line has no end yet.
    open: [bool; 2],
}

impl Captured<'_> {
    /// Ends the last lines, so that the output of the next script begins on a new line.
    fn end(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if std::mem::take(&mut self.open[stream as usize]) {
                self.to.write(stream, b"\n");
            }
        }
    }
}

#[async_trait]
impl OutputSink for Captured<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            // One byte more shows that the output was too long.
            let room = (KEPT + 1).saturating_sub(self.stdout.len());
            self.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if !self.quiet {
            self.to.write(stream, bytes);
            self.open[stream as usize] = bytes.last().map_or(self.open[stream as usize], |last| *last != b'\n');
        }
    }

    async fn ready(&mut self) {
        self.to.ready().await;
    }
}
