//! The retry loop of `wait` and `expect`.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Result, Run};

/// Time limit for one attempt: a machine that accepts a connection and sends nothing must not use up all the time.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);

/// Result of one attempt.
pub(crate) enum Observation {
    /// The condition holds.
    Met,
    /// The condition does not hold.
    Unmet(Unmet),
}

/// Why a condition does not hold.
pub(crate) struct Unmet {
    /// The expected and the actual value.
    pub(crate) fact: String,
    /// Details of the actual value.
    pub(crate) detail: Option<String>,
    /// Help, if there is any.
    pub(crate) help: Option<&'static str>,
}

impl Observation {
    /// A result for a condition that does not hold.
    pub(crate) fn unmet(fact: String) -> Self {
        Self::Unmet(Unmet { fact, detail: None, help: None })
    }

    /// Adds details.
    pub(crate) fn detail(self, detail: String) -> Self {
        match self {
            Self::Unmet(unmet) => Self::Unmet(Unmet { detail: Some(detail), ..unmet }),
            Self::Met => Self::Met,
        }
    }

    /// Adds help.
    pub(crate) fn help(self, help: &'static str) -> Self {
        match self {
            Self::Unmet(unmet) => Self::Unmet(Unmet { help: Some(help), ..unmet }),
            Self::Met => Self::Met,
        }
    }
}

/// Interval and time limits of a retry loop.
pub(crate) struct PollLimits {
    /// Interval between two attempts.
    pub(crate) interval: Duration,
    /// Time limit for all attempts; an attempt in progress is not interrupted by it.
    pub(crate) total: Duration,
    /// Time limit for the first attempt. Each one that reaches its limit doubles that of the next, since a slow machine may
    /// need longer for every one of them.
    pub(crate) attempt: Duration,
}

impl PollLimits {
    /// Time limit for one attempt with a command: the total, since some commands take long.
    pub(crate) fn command(total: Duration) -> Duration {
        total.max(ATTEMPT)
    }
}

/// Makes attempts until the condition holds. Otherwise returns the last result, and the time that passed.
///
/// # Errors
/// When an attempt fails permanently, or the run is cancelled.
pub(crate) async fn poll<F, L>(run: &Run, limits: &PollLimits, mut attempt: L) -> Result<Option<(Unmet, Duration)>>
where
    F: Future<Output = Result<Observation>>,
    L: FnMut() -> F,
{
    let start = run.clock().elapsed();
    let mut before: Option<Unmet> = None;
    let mut patience = limits.attempt;
    loop {
        let observed = tokio::select! {
            observed = run.until_cancelled(attempt()) => observed??,
            // The result of an earlier attempt says more than a time-out of this one.
            () = run.clock().sleep(patience) => {
                let waited = patience;
                patience = (patience * 2).min(limits.total.max(limits.attempt));
                match before.take() {
                    Some(unmet) => Observation::Unmet(unmet),
                    None => Observation::unmet(format!("the machine did not answer within {}", human(waited))),
                }
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ami_bake_testkit::clock::ManualClock;
    use ami_bake_testkit::runs;

    use super::*;

    /// A machine that always needs longer than the first limit.
    #[tokio::test]
    async fn a_slow_machine_gets_longer_attempts() {
        let clock = Arc::new(ManualClock::default());
        let (run, _events) = runs::with(Arc::clone(&clock) as _, &[]);
        let second = Duration::from_secs(1);
        let limits = PollLimits { interval: second, total: second * 60, attempt: second * 10 };
        let ended = AtomicBool::new(false);
        let polling = async {
            let attempt = || async {
                run.clock().sleep(second * 15).await;
                Ok(Observation::Met)
            };
            let outcome = poll(&run, &limits, attempt).await;
            ended.store(true, Ordering::Relaxed);
            outcome
        };
        let (outcome, ()) = tokio::join!(polling, clock.run_until(second, || ended.load(Ordering::Relaxed)));
        assert!(outcome.unwrap().is_none());
    }
}
