//! Waiting for something on a machine: one loop for `wait` and `expect`.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::{Result, Run};

/// One look lasts this long at most: a machine that takes a connection and says nothing must not eat all the time.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// What a look saw.
pub(crate) enum Seen {
    /// It is as it should be.
    Holds,
    /// It is not (yet), and what it is instead.
    Not(String),
}

/// Looks again and again until it holds; the last answer and the time when it never did.
///
/// # Errors
/// When a look fails for good, or the run is cancelled.
pub(crate) async fn poll<F, L>(run: &Run, interval: Duration, limit: Duration, mut look: L) -> Result<Option<(String, Duration)>>
where
    F: Future<Output = Result<Seen>>,
    L: FnMut() -> F,
{
    let start = run.clock().elapsed();
    let mut last: Option<String> = None;
    loop {
        let spent = run.clock().elapsed().saturating_sub(start);
        // The first look is never cut short by a small limit of the step.
        let left = limit.saturating_sub(spent).max(Duration::from_secs(1)).min(LOOK);
        let seen = tokio::select! {
            seen = run.until_cancelled(look()) => seen??,
            () = run.clock().sleep(left) => Seen::Not(last.take().unwrap_or_else(|| format!("no answer within {}", crate::text::duration(left)))),
        };
        match seen {
            Seen::Holds => return Ok(None),
            Seen::Not(answer) => last = Some(answer),
        }
        let spent = run.clock().elapsed().saturating_sub(start);
        if spent >= limit {
            return Ok(last.map(|answer| (answer, spent)));
        }
        run.sleep(interval.min(limit.saturating_sub(spent))).await?;
    }
}
