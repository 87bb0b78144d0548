//! Our own binary, run again.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use ami_bake_core::{Error, Result};
use tokio::process::Command;

use crate::sandbox::{ENTER, FILES, Task, VERB, Work, said};
use crate::store::Trash;

/// The program that understands the hidden verb.
#[derive(Debug, Clone)]
pub(crate) struct Helper {
    program: PathBuf,
}

impl Helper {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// A command of the hidden verb, out of reach of the terminal's Ctrl-C: the engine ends what is to end.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(VERB).process_group(0);
        // A bake's environment holds secrets; these processes need no more of it than to find `newuidmap`.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    /// Holds the sandbox of a description.
    pub(crate) fn hold(&self, spec: &Path) -> Command {
        let mut command = self.command();
        command.arg(spec);
        command
    }

    /// Does something inside a sandbox.
    pub(crate) fn enter(&self, task: &Task) -> Result<Command> {
        let text = serde_json::to_string(task).map_err(|error| Error::internal("write a task").because(error))?;
        let mut command = self.command();
        command.args([ENTER, &text]);
        Ok(command)
    }

    fn work(&self, work: &Work) -> Result<Command> {
        let text = serde_json::to_string(work).map_err(|error| Error::internal("write a task").because(error))?;
        let mut command = self.command();
        command.args([FILES, &text]).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }

    /// Works on files of a sandbox's users, and waits for it.
    pub(crate) async fn files(&self, work: &Work) -> Result<()> {
        let failed = |error| Error::build(format!("run {}", self.program.display())).because(error);
        let output = self.work(work)?.stderr(Stdio::piped()).kill_on_drop(true).output().await.map_err(failed)?;
        if output.status.success() { Ok(()) } else { Err(said(&output.stderr)) }
    }

    /// Removes what is in the trash, in a process of its own that outlives this one. What it can't remove the next run
    /// tries again.
    pub(crate) fn empty(&self, trash: Trash) {
        if trash.0.is_empty() {
            return;
        }
        let removed = self.work(&Work::Remove { paths: trash.0 }).and_then(|mut command| {
            command.stderr(Stdio::null()).spawn().map_err(|error| Error::build("remove files").because(error))
        });
        match removed {
            // Waited for, so that it does not stay as a zombie while this process lives.
            Ok(mut child) => drop(tokio::spawn(async move { child.wait().await })),
            Err(error) => tracing::debug!(%error, "the trash stays"),
        }
    }
}
