//! Files of the input, and why they may be refused.

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

/// Why files can't be imported at all.
#[derive(Debug, Default)]
pub struct Refused {
    /// The problem, with its location.
    pub findings: Vec<Diagnostic>,
    /// The files, to show the findings with.
    pub sources: Sources,
}

impl Refused {
    /// The error, when there is one.
    ///
    /// # Errors
    /// When the input is invalid.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.findings.is_empty() { Ok(()) } else { Err(self) }
    }
}
