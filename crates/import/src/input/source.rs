//! Files of the input, and errors that prevent an import.

use std::path::PathBuf;

use ami_bake_manifest::diagnostic::{Diagnostic, Sources};

/// A file to import.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path of the file.
    pub path: PathBuf,
    /// Text of the file.
    pub text: String,
}

/// Errors that prevent an import.
#[derive(Debug, Default)]
pub struct Refused {
    /// The errors, with their locations.
    pub findings: Vec<Diagnostic>,
    /// The files, for showing the errors in context.
    pub sources: Sources,
}

impl Refused {
    /// Returns the refusal as an error, if it has findings.
    ///
    /// # Errors
    /// When the input is invalid.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.findings.is_empty() { Ok(()) } else { Err(self) }
    }
}
