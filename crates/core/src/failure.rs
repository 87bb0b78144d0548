//! A failure as data: the part of an [`Error`] that reporters and reports keep.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::location::SourceLocation;
use crate::route::Route;

/// A failure as data, for events and reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind of the failure, which decides the exit code.
    pub kind: ErrorKind,
    /// The message, a sentence fragment.
    pub message: String,
    /// Causes, outermost first.
    pub causes: Vec<String>,
    /// Help for the reader.
    pub help: Option<String>,
    /// The location in the manifest.
    pub route: Option<Route>,
    /// The line of a file that the step at that location names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<SourceLocation>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            causes: error.causes(),
            help: error.help_text().map(str::to_owned),
            route: error.route().cloned(),
            place: error.place().cloned(),
        }
    }
}
