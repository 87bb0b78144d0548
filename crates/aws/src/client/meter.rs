//! Counts requests, and reports throttled answers to the limiter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::clock::Clock;
use ami_bake_core::limit::Limiter;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::identity::Warn;
use super::server_time::ServerTime;

/// The name of an action's bucket: EC2 counts per account, region and action.
pub(super) fn bucket(place: &str, action: &str) -> String {
    format!("{place}/{action}")
}

/// Counts every request that is sent, and reports every throttled answer to the limiter, including those that the SDK
/// retries by itself.
#[derive(Clone)]
pub(super) struct Meter {
    /// Account and region in the names of the buckets.
    place: String,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
    /// Receives the warning about the clock; `None` once it has been given.
    warn: Arc<Mutex<Option<Warn>>>,
    calls: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Meter {
    /// A meter for the region and account `place`, in the form of [`super::regional::Client::place`]. `clock` learns
    /// AWS' time.
    pub(super) fn new(place: String, limiter: Arc<Limiter>, clock: Arc<dyn Clock>, warn: Option<Warn>) -> Self {
        Self { place, limiter, clock, warn: Arc::new(Mutex::new(warn)), calls: Arc::default() }
    }

    /// A meter for another region or account that shares these counters.
    pub(super) fn at(&self, place: String) -> Self {
        Self { place, ..self.clone() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Learns the time from an answer: AWS decides by its own clock what has expired.
    fn learn(&self, response: &HttpResponse) {
        let Some(time) = ServerTime::of(response) else { return };
        self.clock.learn(time.at);
        if time.is_off()
            && let Some(warn) = self.warn.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            warn(format!("{}; using the time of AWS", time.in_words()));
        }
    }

    /// Number of requests sent so far, including retries, by action.
    pub(super) fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "ami-bake-meter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = cfg.load::<Metadata>() {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            *calls.entry(metadata.name().to_owned()).or_default() += 1;
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.response().iter().for_each(|response| self.learn(response));
        // EC2 throttles with 503 RequestLimitExceeded, others with 400 or 429.
        let throttled = context.response().is_some_and(|response| {
            matches!(response.status().as_u16(), 429 | 503)
                || (response.status().as_u16() == 400
                    && response.body().bytes().is_some_and(|body| String::from_utf8_lossy(body).contains("Throttling")))
        });
        if let (true, Some(metadata)) = (throttled, cfg.load::<Metadata>()) {
            self.limiter.throttled(&bucket(&self.place, metadata.name()));
        }
        Ok(())
    }
}
