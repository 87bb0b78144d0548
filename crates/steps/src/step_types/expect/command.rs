//! `expect: {command: …}`, and the commands that `wait` polls.

use std::time::Duration;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{OutputSink, Stream, lines};
use ami_bake_core::plan::{Probe, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};

use super::search::Search;
use crate::poll::{Observation, PollLimits};
use crate::shell::{Interpreter, Script, Tail};
use crate::text::excerpt;

/// Bytes of each stream's beginning that are kept for an error, which shows 200 characters: a secret is cut only far
/// beyond those.
const BEGINNING: usize = 64 << 10;

/// The result of a polled command.
pub(crate) struct CommandResult {
    pub(crate) exit: Exit,
    last_line: Option<String>,
}

impl CommandResult {
    /// The result for messages, with the end of its output.
    pub(crate) fn describe(&self) -> String {
        let end = match &self.exit {
            Exit::Status(status) => format!("it exited with status {status}"),
            Exit::Signal(signal) => format!("it was killed by signal {signal}"),
            Exit::TimedOut(_) => "it timed out".to_owned(),
            Exit::Lost(_) => "the connection to the machine was lost".to_owned(),
        };
        match &self.last_line {
            Some(line) => format!("{end}, its last line: {}", excerpt(line, 200)),
            None => end,
        }
    }
}

/// Reads the output of a command, which may have any length.
struct Watch<'a> {
    searches: [Option<Search<'a>>; 2],
    begins: [Vec<u8>; 2],
}

impl OutputSink for Watch<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let begin = &mut self.begins[stream as usize];
        begin.extend_from_slice(&bytes[..bytes.len().min(BEGINNING - begin.len())]);
        if let Some(search) = &mut self.searches[stream as usize] {
            search.push(bytes);
        }
    }
}

/// Runs a command like `run`, or with `sh -eu` on a machine without bash. Its time limit is that of all attempts
/// together.
pub(crate) async fn execute(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    text: &str,
    limit: Duration,
) -> Result<CommandResult> {
    execute_into(run, on, step, text, limit, &mut Watch { searches: [None, None], begins: Default::default() }).await
}

async fn execute_into(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    text: &str,
    limit: Duration,
    output: &mut Watch<'_>,
) -> Result<CommandResult> {
    let mut tail = Tail::new(output);
    let mut script = Script::text(text, Interpreter::Any);
    script.timeout = Some(PollLimits::command(limit));
    let exit = script.execute(run, on, step, &mut tail).await?;
    Ok(CommandResult { exit, last_line: tail.last_line(run) })
}

/// Checks the result of the command.
pub(super) async fn look(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    probe: &Probe,
    total: Duration,
) -> Result<Observation> {
    let Probe::Command { run: text, status, stdout, stderr } = probe else { return Ok(Observation::Met) };
    let searches = [stdout, stderr].map(|expected| expected.as_deref().map(Search::new));
    let mut watch = Watch { searches, begins: Default::default() };
    let outcome = execute_into(run, on, step, text, total, &mut watch).await?;
    if outcome.exit != Exit::Status(*status) {
        let seen = outcome.describe();
        return Ok(Observation::unmet(format!(
            "expected `{}` to exit with status {status}, but {seen}",
            excerpt(text, 80)
        )));
    }
    let streams = [(Stream::Stdout, "standard output", stdout), (Stream::Stderr, "standard error", stderr)];
    for (stream, name, expected) in streams {
        if let (Some(expected), Some(search)) = (expected, &watch.searches[stream as usize])
            && !search.found()
        {
            let begin = lines(&watch.begins[stream as usize], run.masker()).join(" ");
            let seen = match excerpt(&begin, 200) {
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
