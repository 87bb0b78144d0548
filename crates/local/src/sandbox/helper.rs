//! Starts the processes of the hidden command line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ami_bake_core::{Error, Result};
use tokio::process::Command;

use super::arguments::{COMMAND, ENTER, EXPORT, FILES};
use super::failure::from_stderr;
use super::file_task::FileTask;
use super::task::Task;

/// The program that has the hidden command line: `ami-bake` itself.
#[derive(Debug, Clone)]
pub(crate) struct Helper {
    program: PathBuf,
}

impl Helper {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The hidden command. It has a process group of its own, because the bake handles Ctrl-C at the terminal.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(COMMAND).process_group(0);
        // A bake's environment contains secrets; these processes only need `PATH`, to find `newuidmap`.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    /// The command that holds the sandbox of a description.
    pub(crate) fn hold(&self, spec: &Path) -> Command {
        let mut command = self.command();
        command.arg(spec);
        command
    }

    /// The command that runs a task in a sandbox.
    pub(crate) fn enter(&self, task: &Task) -> Result<Command> {
        let text =
            serde_json::to_string(task).map_err(|error| Error::internal("could not write a task").because(error))?;
        let mut command = self.command();
        command.args([ENTER, &text]);
        Ok(command)
    }

    /// Runs a task on files of a sandbox's users.
    pub(crate) async fn files(&self, task: &FileTask) -> Result<()> {
        self.run(self.file_command(task)?).await
    }

    /// Exports an image with the plan in a file.
    pub(crate) async fn export(&self, plan: &Path) -> Result<()> {
        let mut command = self.command();
        command.args([OsStr::new(EXPORT), plan.as_os_str()]);
        self.run(command).await
    }

    /// Removes files in a background process that outlives this one. Files that it can't remove are left to the next
    /// run.
    pub(crate) fn remove_later(&self, paths: Vec<PathBuf>) {
        let started = self.file_command(&FileTask::Remove { paths }).and_then(|mut command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().map_err(|error| Error::build("could not remove files").because(error))
        });
        match started {
            // Waited for, so that it does not stay a zombie while this process lives.
            Ok(mut child) => drop(tokio::spawn(async move { child.wait().await })),
            Err(error) => tracing::debug!(%error, "could not remove files; the next run retries"),
        }
    }

    fn file_command(&self, task: &FileTask) -> Result<Command> {
        let text = serde_json::to_string(task)
            .map_err(|error| Error::internal("could not write a file task").because(error))?;
        let mut command = self.command();
        command.args([FILES, &text]);
        Ok(command)
    }

    async fn run(&self, mut command: Command) -> Result<()> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |error| Error::build(format!("could not run {}", self.program.display())).because(error);
        let output = command.output().await.map_err(failed)?;
        if output.status.success() { Ok(()) } else { Err(from_stderr(&output.stderr)) }
    }
}
