//! The error type that all crates share: a kind, a message, a cause, and help.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::location::SourceLocation;
use crate::route::Route;

/// The result of anything that can fail in ami-bake.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The exit code of a run that succeeded but is not clean: a temporary resource could not be deleted, or the report
/// could not be written.
pub const UNCLEAN: u8 = 9;

/// The kind of a failure. Each kind has one exit code (docs/dev/lifecycle.md, "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A bug or a broken invariant of this program.
    Internal,
    /// The command line is wrong.
    Usage,
    /// The manifest is invalid.
    Manifest,
    /// A permission is missing, a source was not found, a version is taken: nothing was built.
    Preflight,
    /// Anything from launch to capture failed.
    Build,
    /// The captured image failed its tests.
    Test,
    /// Publishing failed in part or in whole.
    Publish,
    /// A deployment failed.
    Deploy,
    /// The run was cancelled by a signal.
    Cancelled,
}

impl ErrorKind {
    /// The process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Manifest => 3,
            Self::Preflight => 4,
            Self::Build => 5,
            Self::Test => 6,
            Self::Publish => 7,
            Self::Deploy => 8,
            Self::Cancelled => 130,
        }
    }
}

/// How a caller can react to a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No particular reaction.
    Other,
    /// The name is taken; another one may be free.
    Taken,
    /// The refusal is final; a retry can't help.
    Denied,
}

/// A failure: a lower-case sentence fragment that names the object, with its cause and help for the reader.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    route: Option<Route>,
    place: Option<Box<SourceLocation>>,
    refusal: Refusal,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` is a lower-case sentence such as "could not read x" or "x not found".
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
            route: None,
            place: None,
            refusal: Refusal::Other,
            source: None,
        }
    }

    /// A bug or a broken invariant of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An error in the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// An error in the manifest.
    pub fn manifest(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Manifest, message)
    }

    /// An error before anything was built.
    pub fn preflight(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Preflight, message)
    }

    /// An error in launch, connect, a step, or capture.
    pub fn build(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Build, message)
    }

    /// The error of a cancelled run.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the run was cancelled")
    }

    /// An error because an image of this name or version exists already. With an automatic version the next one is
    /// tried.
    pub fn taken(message: impl Into<String>) -> Self {
        Self { refusal: Refusal::Taken, ..Self::new(ErrorKind::Preflight, message) }
    }

    /// True for [`Error::taken`].
    pub fn is_taken(&self) -> bool {
        self.refusal == Refusal::Taken
    }

    /// Marks the error as final for all retries: a permission is missing, or the credentials have expired.
    #[must_use]
    pub fn denied(mut self) -> Self {
        self.refusal = Refusal::Denied;
        self
    }

    /// True for [`Error::denied`].
    pub fn is_denied(&self) -> bool {
        self.refusal == Refusal::Denied
    }

    /// Adds help: a full sentence about what the reader can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the location in the manifest.
    #[must_use]
    pub fn at(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Sets the line of a file that the step at the manifest location names.
    #[must_use]
    pub fn in_file(mut self, place: SourceLocation) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Changes the kind, for a stage in which the failure means something else, such as a build step that ran as a
    /// test.
    #[must_use]
    pub fn into_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Changes the kind to `kind` if the current kind means that nothing was built.
    #[must_use]
    pub fn after_build(self, kind: ErrorKind) -> Self {
        let early = matches!(self.kind, ErrorKind::Preflight | ErrorKind::Build);
        if early { self.into_kind(kind) } else { self }
    }

    /// Kind of the failure, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Help for the reader, if there is any.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The location in the manifest, if the failure has one.
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// The line of a file that a step names, if the failure has one.
    pub fn place(&self) -> Option<&SourceLocation> {
        self.place.as_deref()
    }

    /// The causes, outermost first, without those that only repeat the message above them.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut last = self.message.clone();
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !last.contains(&text) {
                causes.push(text.clone());
                last = text;
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_once_each() {
        let io = std::io::Error::other("disk on fire");
        let inner = Error::internal("write the ledger").because(io);
        let outer = Error::build("launch a machine").because(inner);
        assert_eq!(outer.causes(), ["write the ledger", "disk on fire"]);
        assert_eq!(outer.kind().exit_code(), 5);
    }
}
