//! Work that blocks, and its errors.

use std::io;
use std::path::Path;

use ami_bake_core::{Error, Result};

/// Runs what blocks on a thread of its own.
///
/// # Errors
/// When it panics.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("a file task was aborted").because(error))
}

/// An error with the path that it is about.
pub(crate) fn about(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{verb} `{}`: {error}", path.display()))
}
