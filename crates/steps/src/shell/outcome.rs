//! Turns the end of a command into an error that says which of the four ends it was, with its last output.

use std::fmt;

use ami_bake_core::communicator::Exit;
use ami_bake_core::duration::human;
use ami_bake_core::output::{OutputSink, Stream, StreamEnd, sanitize};
use ami_bake_core::plan::Step;
use ami_bake_core::{Error, Run};
use async_trait::async_trait;

/// Number of lines of a stream that an error shows.
const LINES: usize = 10;
/// Maximum length of a line that an error shows; the live output has the whole line.
const WIDTH: usize = 300;
/// Maximum length of the driver's message.
const WORD: usize = 16 << 10;

/// Passes output on and records its end. The driver's message to this program is the first line of standard error and
/// begins with a random token; it is not passed on.
pub(crate) struct Tail<'a> {
    to: &'a mut dyn OutputSink,
    ends: [StreamEnd; 2],
    token: String,
    held: Option<Vec<u8>>,
}

impl<'a> Tail<'a> {
    /// Passes output on to `to`.
    pub(crate) fn new(to: &'a mut dyn OutputSink) -> Self {
        let token = format!("ami-bake-{}", uuid::Uuid::new_v4().simple());
        Self { to, ends: Default::default(), token, held: Some(Vec::new()) }
    }

    /// The token with which the driver's message begins.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The driver's message, if it ended the command itself. Held-back output of the command is passed on.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let held = self.held.take()?;
        if let Some(word) = held.strip_prefix(self.token.as_bytes()) {
            return Some(String::from_utf8_lossy(word).trim().to_owned());
        }
        self.pass(Stream::Stderr, &held);
        None
    }

    /// The last lines of standard error, or of standard output if there are none.
    pub(crate) fn last_lines(&self, run: &Run) -> Option<LastLines> {
        LastLines::of(run, "standard error", &self.ends[Stream::Stderr as usize])
            .or_else(|| LastLines::of(run, "output", &self.ends[Stream::Stdout as usize]))
    }

    /// The last line of standard error, or of standard output if there is none.
    pub(crate) fn last_line(&self, run: &Run) -> Option<String> {
        let [stdout, stderr] = &self.ends;
        lines(run, stderr).pop().or_else(|| lines(run, stdout).pop())
    }

    fn pass(&mut self, stream: Stream, bytes: &[u8]) {
        self.ends[stream as usize].push(bytes);
        self.to.write(stream, bytes);
    }
}

#[async_trait]
impl OutputSink for Tail<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr
            && let Some(mut held) = self.held.take()
        {
            held.extend_from_slice(bytes);
            let same = held.len().min(self.token.len());
            if held[..same] == self.token.as_bytes()[..same] && held.len() <= WORD {
                self.held = Some(held);
            } else {
                self.pass(stream, &held);
            }
            return;
        }
        self.pass(stream, bytes);
    }

    async fn ready(&mut self) {
        self.to.ready().await;
    }
}

/// The last lines that a command printed, sanitized and masked, as the cause of an error.
#[derive(Debug)]
pub struct LastLines(String);

impl LastLines {
    fn of(run: &Run, what: &str, end: &StreamEnd) -> Option<Self> {
        let lines = lines(run, end);
        let last = &lines[lines.len().saturating_sub(LINES)..];
        match last {
            [] => None,
            [line] => Some(Self(format!("the last line of its {what}: {line}"))),
            lines => Some(Self(format!("the last lines of its {what}:\n  {}", lines.join("\n  ")))),
        }
    }
}

fn lines(run: &Run, end: &StreamEnd) -> Vec<String> {
    let lines = end.lines(run.masker()).into_iter();
    lines.filter(|line| !line.trim().is_empty()).map(|line| line.chars().take(WIDTH).collect()).collect()
}

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LastLines {}

/// The error for a command that did not exit with 0.
pub(crate) fn ended(step: &Step, what: &str, exit: &Exit, words: Option<LastLines>) -> Error {
    let name = &step.name;
    let error = match exit {
        Exit::Status(status) => {
            let hint = match status {
                126 => " (found, but not executable)".to_owned(),
                127 => " (a command was not found)".to_owned(),
                129..=192 => signal_of(status - 128),
                _ => String::new(),
            };
            Error::build(format!("step `{name}`: {what} exited with status {status}{hint}"))
                .help("See its output above. `--keep-on-failure` keeps the machine running so that you can look at it.")
        }
        Exit::Signal(signal) => {
            let error = Error::build(format!("step `{name}`: {what} was killed by signal {signal}"));
            if signal == "KILL" {
                error.help("The kernel may have killed it for lack of memory: check `dmesg` on the machine, or use a larger `machine.type`.")
            } else {
                error.help(
                    "Something on the machine sent the signal. `--keep-on-failure` keeps the machine running so that you can look at it.",
                )
            }
        }
        Exit::TimedOut(limit) => {
            Error::build(format!("step `{name}`: {what} was still running after {} and was killed", human(*limit)))
                .help("Raise `timeout`, or check what it waits for: its standard input is empty.")
        }
        Exit::Lost(seen) => {
            let seen = sanitize(seen);
            Error::build(format!("step `{name}`: the connection to the machine was lost while {what} ran ({seen}); its outcome is unknown"))
                .help("If the script restarts the machine, remove that and add a step `- reboot: true` after it, which waits until the machine is back.")
        }
    };
    match words {
        Some(words) => error.because(words),
        None => error,
    }
}

/// Name of a signal in a shell's exit status, for common ones.
fn signal_of(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        6 => "ABRT",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        15 => "TERM",
        _ => return format!(" (128 + signal {number})"),
    };
    format!(" (128 + signal {number}, {name})")
}
