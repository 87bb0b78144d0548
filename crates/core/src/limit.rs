//! Rate limits: one token bucket per action and region, so that many bakes together stay below the platform's limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// Size and refill rate of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Number of calls that can be made at once.
    pub burst: f64,
    /// Number of tokens that are added per second.
    pub per_second: f64,
}

/// All buckets of a run, by the name of the action and its region.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// A bucket of tokens.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// May be negative: a waiting caller has taken its token already, so that callers are served in order.
    pub(crate) tokens: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Duration) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    /// Adds the tokens for the time since the last call.
    pub(crate) fn fill(&mut self, rate: Rate, now: Duration) {
        let filled = now.saturating_sub(self.at).as_secs_f64() * rate.per_second;
        self.tokens = (self.tokens + filled).min(rate.burst);
        self.at = now;
    }
}

impl Limiter {
    /// A limiter whose buckets are full.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, buckets: Mutex::default() }
    }

    /// Takes a token from the bucket `name`; waits until there is one.
    pub async fn acquire(&self, name: &str, rate: Rate) {
        let wait = self.take(name, rate);
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// Empties the bucket after the platform throttled a call: other tools use the same quota.
    pub fn throttled(&self, name: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(name) {
            bucket.tokens = bucket.tokens.min(0.0);
        }
    }

    fn take(&self, name: &str, rate: Rate) -> Duration {
        let now = self.clock.elapsed();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(name.to_owned()).or_insert_with(|| Bucket::new(rate, now));
        bucket.fill(rate, now);
        bucket.tokens -= 1.0;
        if bucket.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-bucket.tokens / rate.per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn the_burst_is_free_and_the_rest_queues() {
        let limiter = Limiter::new(Arc::new(SystemClock::default()));
        let rate = Rate { burst: 5.0, per_second: 2.0 };
        let waits: Vec<f64> = (0..7).map(|_| limiter.take("RunInstances", rate).as_secs_f64()).collect();
        assert!(waits[..5].iter().all(|wait| *wait == 0.0), "{waits:?}");
        assert!((waits[5] - 0.5).abs() < 0.1 && (waits[6] - 1.0).abs() < 0.1, "{waits:?}");
        limiter.throttled("RunInstances");
        assert!(limiter.take("RunInstances", rate).as_secs_f64() > 0.4);
    }
}
