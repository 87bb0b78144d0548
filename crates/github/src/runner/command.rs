//! Workflow commands and their escapes (GitHub: workflow commands; actions/toolkit, command.ts).

use ami_bake_core::mask::Masker;
use ami_bake_core::output::sanitize;

use super::untrusted::defuse;

/// Maximum length of a message; the runner cuts longer ones anywhere.
const MESSAGE_LIMIT: usize = 4096;

/// The severity of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A failure.
    Error,
    /// Something unusual.
    Warning,
    /// Information.
    Notice,
}

impl Level {
    /// Name of the command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A message that GitHub shows on the run's page, and at lines of a file if it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The severity.
    pub level: Level,
    /// A short heading.
    pub title: String,
    /// The message; plain text.
    pub message: String,
    /// The file, relative to the workspace.
    pub file: Option<String>,
    /// First line and column, from one; without `end` the whole line.
    pub start: Option<(usize, usize)>,
    /// Last line, and the column after the end.
    pub end: Option<(usize, usize)>,
}

impl Annotation {
    /// An annotation without a file.
    pub fn new(level: Level, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, title: title.into(), message: message.into(), file: None, start: None, end: None }
    }

    /// The annotation with secrets masked.
    #[must_use]
    pub fn masked(&self, masker: &Masker) -> Self {
        Self { title: masker.mask(&self.title), message: masker.mask(&self.message), ..self.clone() }
    }

    /// The workflow command. Its texts can neither control a terminal nor contain commands.
    pub fn command(&self) -> String {
        let mut properties = Vec::new();
        if let Some(file) = &self.file {
            properties.push(format!("file={}", property(&sanitize(file))));
        }
        if let Some((line, column)) = self.start {
            properties.push(format!("line={line}"));
            // Columns are only supported when both ends are on the same line.
            match self.end {
                Some((end, after)) if line == end => properties.push(format!("col={column},endColumn={after}")),
                Some((end, _)) => properties.push(format!("endLine={end}")),
                None => {}
            }
        }
        properties.push(format!("title={}", property(&defuse(&sanitize(&self.title)))));
        // The message may quote a machine. The runner does not look for commands in it today; this also covers future
        // versions.
        let message = self.message.split('\n').map(clean).collect::<Vec<_>>().join("\n");
        let message = &message[..message.floor_char_boundary(MESSAGE_LIMIT)];
        format!("::{} {}::{}", self.level.as_str(), properties.join(","), data(message))
    }
}

/// A line without terminal control sequences and commands; its CR stays.
fn clean(line: &str) -> String {
    line.split('\r').map(|part| defuse(&sanitize(part))).collect::<Vec<_>>().join("\r")
}

/// Escapes the text after a command's second `::`.
pub(super) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use ami_bake_testkit::runner::{Spoken, parse};

    use super::*;

    #[test]
    fn the_runner_reads_what_was_meant() {
        let annotation = Annotation {
            file: Some("a,b:c.yml".to_owned()),
            start: Some((2, 1)),
            end: Some((2, 7)),
            ..Annotation::new(Level::Error, "wrong: type", "100 % wrong\r\n##[error]x")
        };
        let Some(Spoken { name, properties, data }) = parse(&annotation.command(), &[]) else { panic!() };
        assert_eq!((name.as_str(), data.as_str()), ("error", "100 % wrong\r\n## [error]x"));
        let property = |name: &str| properties.get(name).map(String::as_str);
        assert_eq!((property("file"), property("title")), (Some("a,b:c.yml"), Some("wrong: type")));
        assert_eq!((property("line"), property("col"), property("endColumn")), (Some("2"), Some("1"), Some("7")));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let command = Annotation::new(Level::Notice, "x", "ä".repeat(MESSAGE_LIMIT)).command();
        assert_eq!(command.len(), "::notice title=x::".len() + MESSAGE_LIMIT);
    }
}
