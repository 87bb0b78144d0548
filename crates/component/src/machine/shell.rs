//! Runs scripts on the machine of a document.

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::{Collect, OutputSink, sanitize};
use ami_bake_core::plan::Step;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::services::Services;
use ami_bake_core::{Error, Result, Run};
use ami_bake_steps::{ScriptCall, ScriptEnd, call};

use super::Deadline;

/// The folder for relative paths: Image Builder's default for `workingDirectory`.
const FOLDER: &str = "/tmp";
/// Exit status of a script that requests a restart (Systems Manager, "Rebooting managed nodes from scripts").
pub(crate) const RESTART: i32 = 194;

/// A machine, and the manifest's step that runs the document.
pub(crate) struct Machine<'a> {
    pub(crate) run: &'a Run,
    pub(crate) on: &'a ConnectedMachine<'a>,
    pub(crate) step: &'a Step,
    pub(crate) services: Option<&'a dyn Services>,
}

/// Output of one of our own scripts.
pub(crate) struct ShellOutput {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    stderr: String,
}

impl ShellOutput {
    /// Standard output of a script that must succeed; otherwise standard error is the error message.
    pub(crate) fn passed(self) -> Result<Vec<u8>> {
        if self.status == 0 {
            return Ok(self.stdout);
        }
        let lines = self.stderr.lines().map(|line| sanitize(own_words(line)));
        let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(3)..].join("; ");
        Err(Error::build(if last.is_empty() {
            format!("the machine's shell exited with status {}", self.status)
        } else {
            last
        }))
    }
}

/// A shell's error message without the position in our script, which users don't know: `/dev/fd/3: 12: printf: I/O
/// error`.
fn own_words(line: &str) -> &str {
    let file = ["/dev/fd/3: ", "/proc/self/fd/3: "].into_iter().find_map(|file| line.strip_prefix(file));
    let Some(rest) = file else { return line };
    let rest = rest.strip_prefix("line ").unwrap_or(rest);
    rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ")
}

impl Machine<'_> {
    /// Runs a script of the document as root, with `shell`.
    pub(crate) async fn script(
        &self,
        shell: &str,
        script: &str,
        deadline: Deadline,
        output: &mut dyn OutputSink,
    ) -> Result<ScriptEnd> {
        let wanted = ScriptCall { script, shell, folder: Some(FOLDER), timeout: deadline.left(self.run)? };
        call(self.run, self.on, self.step, wanted, output).await.map_err(|error| self.of_document(error))
    }

    /// An error about the machine, without advice that only applies to the manifest's own scripts.
    fn of_document(&self, error: Error) -> Error {
        let Some(message) = error.message().strip_prefix(&format!("step `{}`: ", self.step.name)) else { return error };
        let help = match error.help_text() {
            Some(_) if message.contains("`bash`") => {
                "Install bash in an earlier step: `ExecuteBinary` and the file modules do not need it."
            }
            Some(_) if message.contains(FOLDER) => "Documents run in this folder: create it in an earlier step.",
            Some(help) => help,
            None => return error,
        };
        Error::new(error.kind(), message).help(help)
    }

    /// Runs a POSIX script of our own.
    pub(crate) async fn sh(&self, script: &str, deadline: Deadline) -> Result<ShellOutput> {
        let mut collect = Collect::default();
        let ended = self.script("sh", script, deadline, &mut collect).await?;
        let status = match ended.exit {
            Exit::Status(status) => status,
            other => return Err(broken(&other, deadline)),
        };
        let stderr = collect.stderr_text();
        Ok(ShellOutput { status, stdout: collect.stdout, stderr })
    }

    /// Services of the platform's cloud.
    pub(crate) fn services(&self) -> Result<&dyn Services> {
        self.services.ok_or_else(|| {
            Error::build("S3 and parameters are not supported on this platform").help("Bake on the platform `aws`.")
        })
    }
}

/// The error for a failed command.
pub(crate) fn broken(exit: &Exit, deadline: Deadline) -> Error {
    match exit {
        Exit::Status(status) => {
            let hint = match status {
                126 => " (found, but not executable)",
                127 => " (a command was not found)",
                _ => "",
            };
            Error::build(format!("exited with status {status}{hint}"))
        }
        Exit::Signal(signal) => Error::build(format!("was killed by signal {signal}")),
        Exit::TimedOut(_) => deadline.over(),
        Exit::Lost(seen) => {
            Error::build(format!("the connection to the machine was lost ({}); its outcome is unknown", sanitize(seen)))
                .help("A script that needs a restart must not start it itself: end it with `exit 194`.")
        }
    }
}
