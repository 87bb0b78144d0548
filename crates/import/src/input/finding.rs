//! Findings: fields that were not imported unchanged.

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The field is not in the manifest.
    Dropped,
    /// The field is in the manifest with a slightly different meaning.
    Changed,
}

/// A field that was not imported unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What happened to the field.
    pub kind: FindingKind,
    /// Name of the file.
    pub file: String,
    /// Path in the file, such as `builders[0].ami_users`.
    pub path: String,
    /// The reason, a sentence fragment.
    pub why: String,
    /// What to do, a full sentence; empty when there is nothing to do.
    pub help: String,
}
