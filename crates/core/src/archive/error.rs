//! Errors of unpacking an archive.

use std::io;
use std::path::Path;

use super::limits::human_size;
use crate::output::sanitize;

/// Why an archive was not unpacked. Names from the archive are shortened, and free of control characters.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive has an entry that must not be unpacked.
    #[error("{0}")]
    Refused(String),
    /// The archive has more files, folders and links than the limit; `path` is the first one over it.
    #[error("`{path}` exceeds the limit of {limit} files")]
    Files {
        /// Path of the entry.
        path: String,
        /// Maximum number of files, folders and links.
        limit: u64,
    },
    /// The files of the archive are larger than the limit; `path` is the first one over it.
    #[error("with `{path}` ({}) the files exceed the limit of {}", human_size(*size), human_size(*limit))]
    Size {
        /// Path of the entry.
        path: String,
        /// Size of the entry in bytes.
        size: u64,
        /// Maximum bytes of all files together.
        limit: u64,
    },
    /// A path has more components than the limit.
    #[error("`{path}` is deeper than the limit of {limit} folders")]
    Depth {
        /// Path of the entry.
        path: String,
        /// Maximum number of components of a path.
        limit: usize,
    },
    /// The archive can't be read: it ends early, or is not a tar file.
    #[error("{0}")]
    Broken(#[source] io::Error),
    /// The target can't be written.
    #[error("could not {doing} `{path}`: {source}")]
    Local {
        /// The operation that failed, as a verb: `write`.
        doing: &'static str,
        /// Path that the operation was applied to.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
}

impl ArchiveError {
    /// The error for an entry that is refused; `why` is the reason.
    pub fn refused(path: &Path, why: &str) -> Self {
        Self::Refused(format!("`{}` {why}", shown(path)))
    }

    /// The error for a failed operation on the target.
    pub fn local(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Local { doing, path: shown(path), source: source.into() }
    }

    /// True when a limit was exceeded.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Files { .. } | Self::Size { .. } | Self::Depth { .. })
    }
}

/// Maximum number of characters of a path in a message.
const SHOWN: usize = 200;

/// A path of an archive, shortened and cleaned for a message.
pub(super) fn shown(path: &Path) -> String {
    let text = sanitize(&path.to_string_lossy());
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => ".".to_owned(),
        None => text,
    }
}
