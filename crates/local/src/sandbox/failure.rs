//! Errors of sandbox processes, and their transfer to the process that started them.

use ami_bake_core::{Error, Result};

/// Prefix of the error line of a failed process.
const PREFIX: &str = "ami-bake sandbox error: ";

/// The error of a failed set-up step.
pub(super) fn failed(what: impl Into<String>, error: impl Into<std::io::Error>) -> Error {
    Error::build(format!("could not {}", what.into())).because(error.into())
}

/// Adds the attempted action to the error of a system call.
pub(crate) trait Context<T> {
    /// `what` is called only on failure.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| failed(what(), error))
    }
}

/// The error with its causes and help, as one text.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text.push_str(": ");
        text.push_str(&cause);
    }
    if let Some(help) = error.help_text() {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    text
}

/// The error in the form in which a process prints it on standard error.
pub(crate) fn failure_text(error: &Error) -> String {
    format!("{PREFIX}{}", describe(error))
}

/// Parses the error that a process printed on standard error, after the output of other programs.
pub(crate) fn from_stderr(stderr: &[u8]) -> Error {
    let text = String::from_utf8_lossy(stderr);
    from_text(text.rsplit(PREFIX).next().unwrap_or(&text))
}

/// Parses an error that [`describe`] formatted.
pub(crate) fn from_text(text: &str) -> Error {
    match text.split_once("\nhelp: ") {
        Some((message, help)) => Error::build(message.trim()).help(help.trim()),
        None if text.trim().is_empty() => Error::build("could not run the sandbox: it ended without an error message"),
        None => Error::build(text.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_between_processes() {
        let error = Error::build("map users").help("Install uidmap.").because(std::io::Error::other("no such file"));
        let stderr = format!("newuidmap: a warning\n{}\n", failure_text(&error));
        let read = from_stderr(stderr.as_bytes());
        assert_eq!((read.message(), read.help_text()), ("map users: no such file", Some("Install uidmap.")));
        assert!(from_stderr(b"").message().contains("without an error message"));
    }
}
