//! `expect: {command: …}`, and the commands that `wait` polls.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{Probe, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};

use crate::poll::{Observation, PollLimits};
use crate::shell::{Interpreter, Script, Tail};
use crate::text::excerpt;

/// How a polled command ended.
pub(crate) struct CommandResult {
    pub(crate) exit: Exit,
    output: Collect,
}

impl CommandResult {
    /// In words, with the end of what it printed.
    pub(crate) fn describe(&self, run: &Run) -> String {
        let end = match &self.exit {
            Exit::Status(status) => format!("it exited with status {status}"),
            Exit::Signal(signal) => format!("it was killed by signal {signal}"),
            Exit::TimedOut(_) => "it timed out".to_owned(),
            Exit::Lost(_) => "the connection to the machine was lost".to_owned(),
        };
        let (stderr, stdout) = (self.output.stderr_text(), self.output.stdout_text());
        let said = if stderr.trim().is_empty() { stdout } else { stderr };
        match said.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("{end}, its last line: {}", excerpt(&run.masker().mask(line), 200)),
            None => end,
        }
    }
}

/// Runs a command as `run` does, with `sh -eu` on a machine without bash. Its limit is that of all attempts together.
pub(crate) async fn execute(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    text: &str,
    limit: Duration,
) -> Result<CommandResult> {
    let mut output = Collect::default();
    let mut tail = Tail::new(&mut output);
    let mut script = Script::text(text, Interpreter::Any);
    script.timeout = Some(PollLimits::command(limit));
    let exit = script.execute(run, on, step, &mut tail).await?;
    Ok(CommandResult { exit, output })
}

/// Whether the command's result is the expected one.
pub(super) async fn look(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    probe: &Probe,
    total: Duration,
) -> Result<Observation> {
    let Probe::Command { run: text, status, stdout, stderr } = probe else { return Ok(Observation::Met) };
    let outcome = execute(run, on, step, text, total).await?;
    if outcome.exit != Exit::Status(*status) {
        let seen = outcome.describe(run);
        return Ok(Observation::unmet(format!(
            "expected `{}` to exit with status {status}, but {seen}",
            excerpt(text, 80)
        )));
    }
    let streams = [
        ("standard output", stdout, outcome.output.stdout_text()),
        ("standard error", stderr, outcome.output.stderr_text()),
    ];
    for (name, expected, seen) in streams {
        if let Some(expected) = expected
            && !seen.contains(expected.as_str())
        {
            let seen = match excerpt(&run.masker().mask(&seen), 200) {
                text if text.is_empty() => "it is empty".to_owned(),
                text => format!("it was \"{text}\""),
            };
            let text = excerpt(text, 80);
            return Ok(Observation::unmet(format!(
                "expected the {name} of `{text}` to contain \"{expected}\", but {seen}"
            )));
        }
    }
    Ok(Observation::Met)
}
