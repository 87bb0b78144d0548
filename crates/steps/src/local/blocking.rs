//! Runs blocking work on threads of its own.

use std::io;
use std::path::Path;

use ami_bake_core::{Error, Result};

/// Runs blocking work on a thread of its own.
///
/// # Errors
/// When it panics.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("a file task was aborted").because(error))
}

/// An error with the path that caused it.
pub(crate) fn about(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{verb} `{}`: {error}", path.display()))
}
