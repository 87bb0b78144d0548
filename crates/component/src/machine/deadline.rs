//! Until when something may take.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, Result, Run};

/// A moment on the run's clock, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Limit>);

#[derive(Debug, Clone, Copy)]
struct Limit {
    at: Duration,
    length: Duration,
}

impl Deadline {
    /// A deadline this long from now.
    pub(crate) fn new(run: &Run, length: Option<Duration>) -> Self {
        Self(length.map(|length| Limit { at: run.clock().elapsed() + length, length }))
    }

    /// The earlier of the two.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(if one.at <= two.at { one } else { two })),
            (one, two) => Self(one.or(two)),
        }
    }

    /// What is left.
    ///
    /// # Errors
    /// When no time is left.
    pub(crate) fn left(self, run: &Run) -> Result<Option<Duration>> {
        match self.0 {
            None => Ok(None),
            Some(limit) => match limit.at.checked_sub(run.clock().elapsed()).filter(|left| !left.is_zero()) {
                Some(left) => Ok(Some(left)),
                None => Err(self.over()),
            },
        }
    }

    /// Waits for `work` until then, or until the run is cancelled; it must not be a call that creates something.
    ///
    /// # Errors
    /// When it is over first, and what `work` fails with.
    pub(crate) async fn within<T>(self, run: &Run, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.left(run)? {
            None => run.until_cancelled(work).await?,
            Some(left) => tokio::select! {
                done = run.until_cancelled(work) => done?,
                () = run.clock().sleep(left) => Err(self.over()),
            },
        }
    }

    /// The failure of what took longer.
    pub(crate) fn over(self) -> Error {
        let limit = self.0.map(|limit| limit.length).unwrap_or_default();
        Error::build(format!("it was still running after {} and was killed", human(limit)))
            .help("Raise `timeoutSeconds`, or `timeout` of the manifest's step.")
    }
}
