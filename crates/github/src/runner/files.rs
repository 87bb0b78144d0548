//! Writes a step's outputs, state and summary (GitHub: workflow commands, "environment files").

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use uuid::Uuid;

use super::Environment;

/// Maximum size of a summary; the runner rejects longer ones (1 MiB per step).
const SUMMARY_LIMIT: usize = 1 << 20;
/// The end of a summary that was cut.
const CUT: &str = "\n\n*Cut: a job summary is limited to 1 MiB. See `bake-report.json` for the rest.*\n";

/// Paths of the runner's files.
#[derive(Debug, Clone, Default)]
pub struct Files {
    output: Option<PathBuf>,
    state: Option<PathBuf>,
    summary: Option<PathBuf>,
    /// Text that other commands of the step have written to the summary.
    before: String,
}

impl Files {
    /// The files that the runner names. Others are not written.
    pub fn of(environment: &Environment) -> Self {
        let path = |name: &str| environment.get(name).map(PathBuf::from);
        let summary = path("GITHUB_STEP_SUMMARY");
        let before = summary.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        Self { output: path("GITHUB_OUTPUT"), state: path("GITHUB_STATE"), summary, before }
    }

    /// Sets an output. A later value overrides an earlier one, so outputs can be set as soon as they are known.
    ///
    /// # Errors
    /// When the file can't be written to.
    pub fn output(&self, name: &str, value: &str) -> Result<()> {
        append(self.output.as_deref(), name, value)
    }

    /// Saves a value for the post step, which reads it with [`Environment::state`].
    ///
    /// # Errors
    /// When the file can't be written to.
    pub fn state(&self, name: &str, value: &str) -> Result<()> {
        append(self.state.as_deref(), name, value)
    }

    /// Replaces this process's part of the step's summary. It is cut at a line if it is too long.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn summary(&self, markdown: &str) -> Result<()> {
        let Some(path) = self.summary.as_deref() else { return Ok(()) };
        std::fs::write(path, &*cut(&format!("{}{markdown}", self.before))).map_err(|error| failed(path, error))
    }
}

fn cut(markdown: &str) -> std::borrow::Cow<'_, str> {
    if markdown.len() <= SUMMARY_LIMIT {
        return markdown.into();
    }
    let room = markdown.floor_char_boundary(SUMMARY_LIMIT - CUT.len());
    let end = markdown[..room].rfind('\n').unwrap_or(room);
    format!("{}{CUT}", &markdown[..end]).into()
}

fn append(path: Option<&Path>, name: &str, value: &str) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let entry = entry(name, value, || format!("ami_bake_{}", Uuid::new_v4().simple()))?;
    // A single write: a signal between two writes would leave half an entry, which fails the step.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(entry.as_bytes()))
        .map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("could not write the runner's file {}", path.display())).because(error)
}

/// `name<<DELIMITER`, the value, `DELIMITER`. A value that contains the delimiter would end early, and its rest would
/// be read as further names (the class of CVE-2022-35954).
fn entry(name: &str, value: &str, mut delimiter: impl FnMut() -> String) -> Result<String> {
    let odd = |character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_');
    if name.is_empty() || name.contains(odd) {
        return Err(Error::internal(format!("{name:?} is not a valid output name")));
    }
    loop {
        let end = delimiter();
        if !name.contains(&end) && !value.contains(&end) {
            return Ok(format!("{name}<<{end}\n{value}\n{end}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_testkit::runner::read_file_command;

    use super::*;

    #[test]
    fn what_was_written_is_what_the_runner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let files = Files::of(&Environment::of([("GITHUB_OUTPUT", path.to_str().unwrap())]));
        let hostile = "a\nEOF\nami-id=ami-evil\n\r\nname<<X\r";
        for (name, value) in [("ami-id", ""), ("version", hostile), ("ami-id", "ami-1"), ("amis", "{\"a\": \"<<=\"}")] {
            files.output(name, value).unwrap();
        }
        // A file that the runner does not name is not written.
        files.state("ledger", "x").unwrap();
        let read = read_file_command(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let value = |name: &str| read.iter().rev().find(|(seen, _)| seen == name).map(|(_, value)| value.as_str());
        assert_eq!(read.len(), 4);
        assert_eq!((value("ami-id"), value("version")), (Some("ami-1"), Some(hostile)));
        assert!(files.output("a=b", "").is_err() && files.output("", "").is_err());
    }

    #[test]
    fn a_delimiter_that_is_in_the_value_is_not_taken() {
        let mut offered = ["one", "two"].into_iter();
        let entry = entry("x", "has one in it", || offered.next().unwrap().to_owned()).unwrap();
        assert_eq!(entry, "x<<two\nhas one in it\ntwo\n");
    }

    #[test]
    fn a_summary_is_cut_at_a_line_before_the_runner_drops_it() {
        let long = "äöü line\n".repeat(200_000);
        let cut = cut(&long);
        assert!(cut.len() <= SUMMARY_LIMIT && cut.ends_with(CUT) && cut.contains("line\n\n*Cut"));
        assert_eq!(super::cut("short"), "short");
    }
}
