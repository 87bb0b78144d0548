//! Waiting for something on a machine: one loop for `wait` and `expect`.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Result, Run};

/// Limit for one attempt: a machine that accepts a connection and sends nothing must not use up all the time.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);

/// What one attempt found.
pub(crate) enum Observation {
    /// What was expected.
    Met,
    /// Something else, or nothing yet.
    Unmet(Unmet),
}

/// What was found instead.
pub(crate) struct Unmet {
    /// What was expected, and what was found.
    pub(crate) fact: String,
    /// More of what was found.
    pub(crate) detail: Option<String>,
    /// What can be done about it, where that is known.
    pub(crate) help: Option<&'static str>,
}

impl Observation {
    /// Something else than expected.
    pub(crate) fn unmet(fact: String) -> Self {
        Self::Unmet(Unmet { fact, detail: None, help: None })
    }

    /// Adds more of what was found.
    pub(crate) fn detail(self, detail: String) -> Self {
        match self {
            Self::Unmet(unmet) => Self::Unmet(Unmet { detail: Some(detail), ..unmet }),
            Self::Met => Self::Met,
        }
    }

    /// Adds what can be done about it.
    pub(crate) fn help(self, help: &'static str) -> Self {
        match self {
            Self::Unmet(unmet) => Self::Unmet(Unmet { help: Some(help), ..unmet }),
            Self::Met => Self::Met,
        }
    }
}

/// How often something is tried, and for how long.
pub(crate) struct PollLimits {
    /// Time between two attempts.
    pub(crate) interval: Duration,
    /// Time for all attempts together; one that has begun is not cut short by it.
    pub(crate) total: Duration,
    /// Time for one attempt.
    pub(crate) attempt: Duration,
}

impl PollLimits {
    /// The time that a command may run: it is one attempt, and some take long.
    pub(crate) fn command(total: Duration) -> Duration {
        total.max(ATTEMPT)
    }
}

/// Tries again and again until it is as expected. When it never was: what was found last, and how long that took.
///
/// # Errors
/// When an attempt fails for good, or the run is cancelled.
pub(crate) async fn poll<F, L>(run: &Run, limits: &PollLimits, mut attempt: L) -> Result<Option<(Unmet, Duration)>>
where
    F: Future<Output = Result<Observation>>,
    L: FnMut() -> F,
{
    let start = run.clock().elapsed();
    let mut before: Option<Unmet> = None;
    loop {
        let observed = tokio::select! {
            observed = run.until_cancelled(attempt()) => observed??,
            // What an earlier attempt found says more than that this one found nothing.
            () = run.clock().sleep(limits.attempt) => match before.take() {
                Some(unmet) => Observation::Unmet(unmet),
                None => Observation::unmet(format!("the machine did not answer within {}", human(limits.attempt))),
            },
        };
        let unmet = match observed {
            Observation::Met => return Ok(None),
            Observation::Unmet(unmet) => unmet,
        };
        let spent = run.clock().elapsed().saturating_sub(start);
        if spent >= limits.total {
            return Ok(Some((unmet, spent)));
        }
        before = Some(unmet);
        run.sleep(limits.interval.min(limits.total.saturating_sub(spent))).await?;
    }
}
