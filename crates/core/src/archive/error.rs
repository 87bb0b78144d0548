//! Why an archive was not unpacked.

use std::io;
use std::path::Path;

use super::limits::human_size;
use crate::output::sanitize;

/// Why an archive was not unpacked. Names from the archive are shortened, and free of control characters.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It has an entry that must not be unpacked.
    #[error("{0}")]
    Refused(String),
    /// It has more files, folders and links than the limit, and the first one that is too many.
    #[error("`{path}` exceeds the limit of {limit} files")]
    Files {
        /// Path of the entry.
        path: String,
        /// Files, folders and links.
        limit: u64,
    },
    /// Its files are larger than the limit, and the first one that is too much.
    #[error("with `{path}` ({}) the files exceed the limit of {}", human_size(*size), human_size(*limit))]
    Size {
        /// Path of the entry.
        path: String,
        /// Size of the entry in bytes.
        size: u64,
        /// Bytes of all files together.
        limit: u64,
    },
    /// A path has more names than the limit.
    #[error("`{path}` is deeper than the limit of {limit} folders")]
    Depth {
        /// Path of the entry.
        path: String,
        /// Names in a path.
        limit: usize,
    },
    /// It can't be read: it ends early, or is not a tar file.
    #[error("{0}")]
    Broken(#[source] io::Error),
    /// Something can't be written here.
    #[error("could not {doing} `{path}`: {source}")]
    Local {
        /// What was tried: `write`.
        doing: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

impl ArchiveError {
    /// An entry that is refused, and why.
    pub fn refused(path: &Path, why: &str) -> Self {
        Self::Refused(format!("`{}` {why}", shown(path)))
    }

    /// Something that can't be written here.
    pub fn local(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Local { doing, path: shown(path), source: source.into() }
    }

    /// True when a limit was reached.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Files { .. } | Self::Size { .. } | Self::Depth { .. })
    }
}

/// Characters of a path that are shown.
const SHOWN: usize = 200;

/// A path of an archive for a message.
pub(super) fn shown(path: &Path) -> String {
    let text = sanitize(&path.to_string_lossy());
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => ".".to_owned(),
        None => text,
    }
}
