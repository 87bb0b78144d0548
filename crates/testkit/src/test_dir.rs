//! A temporary folder in which tests run programs, with an environment that does not depend on the machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A temporary folder to run programs in; removed when dropped.
#[derive(Debug)]
pub struct TestDir(TempDir);

/// The result of a program run.
#[derive(Debug)]
pub struct CommandOutcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl TestDir {
    /// Creates an empty folder.
    ///
    /// # Panics
    /// When the folder can't be created.
    #[expect(clippy::new_without_default, reason = "a folder is created")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of the folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file, creating missing folders.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The text of a file.
    ///
    /// # Panics
    /// When the file can't be read.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A command that runs `program` in this folder, which is also its home and state folder.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.folder())
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Sends a process a signal: `INT`, `TERM` or `KILL`.
///
/// # Panics
/// When the process is gone.
#[track_caller]
pub fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), process.id().to_string()]).status().unwrap();
    assert!(sent.success(), "the process ended before it got SIG{name}");
}

/// The first error, warning or help line that has Rust's debug output: `Some(`, `Err(`, `Status(1)`, `Name { field: … }`.
pub fn debug_text(stderr: &str) -> Option<&str> {
    let about = ["error", "warning", "help", "caused by", "note"];
    stderr.lines().find(|line| about.iter().any(|start| line.trim_start().starts_with(start)) && has_debug_text(line))
}

fn has_debug_text(line: &str) -> bool {
    let marks = ["Some(", "Err(", "Ok(", "Error(", "Status(", "Signal(", "TimedOut(", "Lost(", "String(", "Os {"];
    let structure = |(at, _): (usize, &str)| {
        // `Name { field: `, where a manifest has `name: {field: …}`.
        let name = line[..at].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let field = line[at + 3..].split(": ").next().unwrap_or_default();
        let is_field = !field.is_empty() && field.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        name.starts_with(|c: char| c.is_ascii_uppercase()) && is_field && line[at..].contains(": ")
    };
    marks.iter().any(|mark| line.contains(mark)) || line.match_indices(" { ").any(structure)
}

impl CommandOutcome {
    /// Waits for a started program.
    ///
    /// # Panics
    /// When its output can't be read, or an error, warning or advice in it shows a value as Rust's debug output does.
    #[track_caller]
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(debug_text(&stderr), None, "Rust's debug output in\n{stderr}");
        Self { code: output.status.code(), stdout, stderr }
    }

    /// Asserts the exit code; shows the output if it is another.
    ///
    /// # Panics
    /// When the code is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error contains `text`.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in\n{}", self.stderr);
        self
    }

    /// Exit code and output as one text, for snapshots.
    pub fn snapshot(&self) -> String {
        let code = self.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        let mut text = format!("exit code {code}\n");
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                let end = if stream.ends_with('\n') { "" } else { "\n" };
                text.push_str(&format!("--- {name}\n{stream}{end}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_is_found_and_a_manifest_is_not() {
        for line in [
            "error: could not read it: Some(\"x\")",
            "help: Err(NotFound)",
            "  caused by: Os { code: 2, kind: NotFound }",
            "warning: it ended with Status(1)",
            "error[refused]: Failure { kind: Lost }",
        ] {
            assert_eq!(debug_text(line), Some(line));
        }
        for line in [
            "help: Set `machine: {type: [t3.small]}`, or `publish: { tags: {Name: x} }`.",
            "error: the image \"web\" was not found",
            "12.3s  web  Some(thing) that a step printed",
        ] {
            assert_eq!(debug_text(line), None, "{line}");
        }
    }
}
