//! The two standard streams by their file names.

use std::path::Path;

/// A stream that a file name refers to.
pub(crate) enum Named {
    Stdout,
    Stderr,
}

/// The stream with this name. Callers write to it through the host, so that the output is cleaned.
pub(crate) fn named(file: &Path) -> Option<Named> {
    match file.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Named::Stdout),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Named::Stderr),
        _ => None,
    }
}
