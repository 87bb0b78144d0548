//! A folder in which tests run the program, with an environment of its own.

use std::ops::Deref;
use std::process::{Child, Command};

pub(crate) use ami_bake_testkit::test_dir::CommandOutcome;
use ami_bake_testkit::test_dir::TestDir;

/// A folder, and environment variables.
pub(crate) struct Fixture {
    dir: TestDir,
    variables: Vec<(String, String)>,
}

impl Deref for Fixture {
    type Target = TestDir;

    fn deref(&self) -> &TestDir {
        &self.dir
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self { dir: TestDir::new(), variables: Vec::new() }
    }

    /// A fixture with a manifest at its default path.
    pub(crate) fn with(manifest: &str) -> Self {
        let fixture = Self::new();
        fixture.write("bake.yml", manifest);
        fixture
    }

    /// Adds an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder, for running other programs in it.
    pub(crate) fn dir(&self) -> &TestDir {
        &self.dir
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.dir.command(env!("CARGO_BIN_EXE_ami-bake"), arguments);
        command.envs(self.variables.iter().cloned());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> CommandOutcome {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Waits for a started program; replaces the folder's path in its output with FOLDER.
    pub(crate) fn finish(&self, child: Child) -> CommandOutcome {
        let outcome = CommandOutcome::of(child);
        let folder = self.folder().display().to_string();
        let hidden = |text: String| text.replace(&folder, "FOLDER");
        CommandOutcome { code: outcome.code, stdout: hidden(outcome.stdout), stderr: hidden(outcome.stderr) }
    }
}
