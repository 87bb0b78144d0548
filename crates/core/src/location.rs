//! Locations in files that a manifest names.

use serde::{Deserialize, Serialize};

/// A line of a file that a step names, such as a component document's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Path of the file, relative to the working directory.
    pub file: String,
    /// Number of the line, from 1.
    pub line: usize,
}
