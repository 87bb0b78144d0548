//! The async runtime, which only commands that use a platform start.

use ami_bake_core::{Error, Result};

/// Runs a future to its end on a runtime of its own.
///
/// # Errors
/// When the runtime can't be started, or the future fails.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("could not start the async runtime").because(error))?;
    let result = runtime.block_on(future);
    // A DNS look-up that hangs in a blocking thread must not delay the end of a cancelled run.
    runtime.shutdown_background();
    result
}
