//! The two streams under the names that they have as files.

use std::path::Path;

/// A stream that a file name means.
pub(crate) enum Named {
    Stdout,
    Stderr,
}

/// The stream of this name. Whoever writes to it uses the host, so that what is written is cleaned.
pub(crate) fn named(file: &Path) -> Option<Named> {
    match file.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Named::Stdout),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Named::Stderr),
        _ => None,
    }
}
