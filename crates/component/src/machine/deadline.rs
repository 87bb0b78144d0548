//! Deadlines of steps and attempts.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, Result, Run};

/// A time on the run's clock, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Limit>);

#[derive(Debug, Clone, Copy)]
struct Limit {
    at: Duration,
    length: Duration,
}

impl Deadline {
    /// The deadline after this time from now.
    pub(crate) fn new(run: &Run, length: Option<Duration>) -> Self {
        Self(length.map(|length| Limit { at: run.clock().elapsed() + length, length }))
    }

    /// The earlier of two deadlines.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(if one.at <= two.at { one } else { two })),
            (one, two) => Self(one.or(two)),
        }
    }

    /// The remaining time.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub(crate) fn left(self, run: &Run) -> Result<Option<Duration>> {
        match self.0 {
            None => Ok(None),
            Some(limit) => match limit.at.checked_sub(run.clock().elapsed()).filter(|left| !left.is_zero()) {
                Some(left) => Ok(Some(left)),
                None => Err(self.over()),
            },
        }
    }

    /// Waits for `work` until the deadline, or until the run is cancelled. `work` must not be a call that creates
    /// something.
    ///
    /// # Errors
    /// When the deadline passes first, and errors of `work`.
    pub(crate) async fn within<T>(self, run: &Run, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.left(run)? {
            None => run.until_cancelled(work).await?,
            Some(left) => tokio::select! {
                done = run.until_cancelled(work) => done?,
                () = run.clock().sleep(left) => Err(self.over()),
            },
        }
    }

    /// The error when the deadline has passed.
    pub(crate) fn over(self) -> Error {
        let limit = self.0.map(|limit| limit.length).unwrap_or_default();
        Error::build(format!("it was still running after {} and was killed", human(limit)))
            .help("Raise `timeoutSeconds`, or `timeout` of the manifest's step.")
    }
}
