//! What became of a field that is not in the manifest as it was.

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// It is not in the manifest.
    Dropped,
    /// It is in the manifest with a slightly different meaning.
    Changed,
}

/// A field that is not in the manifest as it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What happened to the field.
    pub kind: FindingKind,
    /// The file's name.
    pub file: String,
    /// Its path in the file, such as `builders[0].ami_users`.
    pub path: String,
    /// Why, a sentence fragment.
    pub why: String,
    /// What to do, a whole sentence; empty when there is nothing to do.
    pub help: String,
}
