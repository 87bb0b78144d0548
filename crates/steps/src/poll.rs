//! Waiting for something on a machine: one loop for `wait` and `expect`.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Result, Run};

/// One look lasts this long at most: a machine that takes a connection and says nothing must not eat all the time.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// What a look saw.
pub(crate) enum Seen {
    /// It is as it should be.
    Holds,
    /// It is not (yet): what was expected, and what it is instead.
    Not(String),
    /// The same, with more of what it is instead.
    Saw(String, String),
}

/// What was seen last of something that never held.
pub(crate) struct Last {
    /// What was expected, and what it was instead.
    pub(crate) fact: String,
    /// More about it.
    pub(crate) more: Option<String>,
    /// For how long.
    pub(crate) spent: Duration,
}

/// How often is looked, and for how long.
pub(crate) struct Patience {
    /// Time between two looks.
    pub(crate) interval: Duration,
    /// Time for all looks together; one that has begun is not cut short by it.
    pub(crate) limit: Duration,
    /// Time for one look.
    pub(crate) look: Duration,
}

impl Patience {
    /// The time that a command may run: it is one look, and some take their time.
    pub(crate) fn command(limit: Duration) -> Duration {
        limit.max(LOOK)
    }
}

/// Looks again and again until it holds; what was seen last when it never did.
///
/// # Errors
/// When a look fails for good, or the run is cancelled.
pub(crate) async fn poll<F, L>(run: &Run, patience: &Patience, mut look: L) -> Result<Option<Last>>
where
    F: Future<Output = Result<Seen>>,
    L: FnMut() -> F,
{
    let start = run.clock().elapsed();
    let mut before: Option<(String, Option<String>)> = None;
    loop {
        let seen = tokio::select! {
            seen = run.until_cancelled(look()) => seen??,
            () = run.clock().sleep(patience.look) => match before.take() {
                Some((fact, Some(more))) => Seen::Saw(fact, more),
                Some((fact, None)) => Seen::Not(fact),
                None => Seen::Not(format!("the machine did not answer within {}", human(patience.look))),
            },
        };
        let (fact, more) = match seen {
            Seen::Holds => return Ok(None),
            Seen::Not(fact) => (fact, None),
            Seen::Saw(fact, more) => (fact, Some(more)),
        };
        let spent = run.clock().elapsed().saturating_sub(start);
        if spent >= patience.limit {
            return Ok(Some(Last { fact, more, spent }));
        }
        before = Some((fact, more));
        run.sleep(patience.interval.min(patience.limit.saturating_sub(spent))).await?;
    }
}
