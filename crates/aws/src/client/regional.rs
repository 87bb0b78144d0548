//! The AWS clients of one region and account, and the wrapper that every call goes through.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::ledger::{Closed, Ticket};
use ami_bake_core::limit::Limiter;
use ami_bake_core::{Error, Result, Run};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::clock_correction::ClockCorrection;
use super::failure::Failure;
use super::identity::{self, Identity};
use super::limits::rate;
use super::meter::{Meter, bucket};

/// Time limit for one attempt of a call; EC2 answers in a second or two, RunInstances in five.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Time limit for a call with all its retries, as a multiple of the limit for one attempt.
const OPERATION: u32 = 6;
/// Attempts of a call including the first: throttled calls back off up to 20 s.
const ATTEMPTS: u32 = 8;
/// The first pause before a retry, doubled each time; EC2's buckets refill within it. The SDK's default is a second.
const BACKOFF: Duration = Duration::from_millis(250);

/// The SDK's retry settings.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF)
}

/// The SDK's time-outs.
fn timeouts(attempt: Option<Duration>) -> TimeoutConfig {
    let attempt = attempt.unwrap_or(ATTEMPT);
    TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(attempt * OPERATION).build()
}

/// The clients of one region.
pub(crate) struct Client {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    config: SdkConfig,
    region: String,
    /// Region whose STS is used.
    sts_region: Region,
    /// ID of the account of a role that was assumed with the bake's own credentials.
    account: Option<String>,
    identity: Identity,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
    meter: Meter,
}

impl Client {
    /// Clients with the credentials and endpoints of environment and profile (including `AWS_ENDPOINT_URL` and its
    /// per-service variants).
    pub(super) async fn new(
        region: Option<String>,
        identity: Identity,
        attempt: Option<Duration>,
        clock: Arc<dyn Clock>,
        limiter: Arc<Limiter>,
    ) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(retries())
            .timeout_config(timeouts(attempt))
            .identity_cache(identity::cache());
        if let Ok(name) = AppName::new(concat!("ami-bake-", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        let base = loader.load().await;
        let region = base.region().cloned().ok_or_else(|| {
            Error::preflight("no AWS region is set")
                .help("Add `aws: {region: us-east-1}` to the manifest, set AWS_REGION, or pass --region.")
        })?;
        let (config, sts_region) = identity::resolve(&base, &identity, &region, &clock)?;
        let meter = Meter::new(region.to_string(), Arc::clone(&limiter), Arc::clone(&clock), identity.warn.clone());
        let origin = ClientOrigin { sts: sts(&config, &sts_region, &meter), sts_region, account: None, identity };
        Ok(Self::with(config, region.as_ref(), origin, meter, limiter, clock))
    }

    /// The clients of the same account in another region, with the same credentials, limiter and counters.
    pub(super) fn in_region(&self, region: &str) -> Self {
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        let meter = self.meter.at(place(region, self.account.as_deref()));
        let origin = ClientOrigin {
            sts: self.sts.clone(),
            sts_region: self.sts_region.clone(),
            account: self.account.clone(),
            identity: self.identity.clone(),
        };
        Self::with(config, region, origin, meter, Arc::clone(&self.limiter), Arc::clone(&self.clock))
    }

    /// Clients of another account in the same region, with a role that the bake's own credentials assume. Makes no call
    /// yet.
    pub(super) fn under(&self, role: &str) -> Self {
        let provider = identity::chained(&self.config, &self.identity, role, self.sts_region.clone());
        let config = self.config.to_builder().credentials_provider(provider).build();
        let account = identity::account_of(role);
        let meter = self.meter.at(place(&self.region, account.as_deref()));
        let origin = ClientOrigin {
            sts: sts(&config, &self.sts_region, &meter),
            sts_region: self.sts_region.clone(),
            account,
            identity: self.identity.clone(),
        };
        Self::with(config, &self.region, origin, meter, Arc::clone(&self.limiter), Arc::clone(&self.clock))
    }

    fn with(
        config: SdkConfig,
        region: &str,
        origin: ClientOrigin,
        meter: Meter,
        limiter: Arc<Limiter>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(&config)
                    .interceptor(ClockCorrection)
                    .interceptor(meter.clone())
                    .build(),
            ),
            iam: aws_sdk_iam::Client::from_conf(
                aws_sdk_iam::config::Builder::from(&config)
                    .interceptor(ClockCorrection)
                    .interceptor(meter.clone())
                    .build(),
            ),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(&config)
                    .interceptor(ClockCorrection)
                    .interceptor(meter.clone())
                    .build(),
            ),
            autoscaling: aws_sdk_autoscaling::Client::from_conf(
                aws_sdk_autoscaling::config::Builder::from(&config)
                    .interceptor(ClockCorrection)
                    .interceptor(meter.clone())
                    .build(),
            ),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config)
                    .timeout_config(unhurried())
                    .interceptor(ClockCorrection)
                    .interceptor(meter.clone())
                    .build(),
            ),
            sts: origin.sts,
            sts_region: origin.sts_region,
            account: origin.account,
            identity: origin.identity,
            region: region.to_owned(),
            config,
            limiter,
            clock,
            meter,
        }
    }

    /// Name of the region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// ID of the account, if the client uses a role of another account.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Where calls go, for messages: the region, and the account if it is another one.
    pub(crate) fn place(&self) -> &str {
        self.meter.place()
    }

    /// Configuration that all clients share: HTTP client, time source, credentials.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Counts the requests of a service without an SDK client like all others.
    pub(crate) fn meter(&self) -> impl Intercept + 'static {
        self.meter.clone()
    }

    /// The run's clock.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Number of requests sent so far, including retries, by action.
    pub(super) fn calls(&self) -> BTreeMap<String, u64> {
        self.meter.calls()
    }

    /// Makes one call as soon as the rate limit allows it. `action` is its API name (`RunInstances`), `request` the
    /// builder's `send()`. A refusal is returned as data, for callers that act on its code.
    pub(crate) fn ask<T, E>(
        &self,
        action: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T, Box<Failure>>>
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        // The SDK's futures hold 16 KiB each; boxed here once, instead of in every future that awaits one.
        let request = Box::pin(request);
        async move {
            self.limiter.acquire(&bucket(self.place(), action), rate(action)).await;
            request.await.map_err(|error| Box::new(Failure::new(action, self.place(), &error)))
        }
    }

    /// Like [`Client::ask`], for callers to whom every refusal is an error. `doing` completes "could not …" and names
    /// the object: "import the key pair ami-bake-7f3".
    pub(crate) fn call<T, E>(
        &self,
        action: &'static str,
        doing: &str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T>>
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let answer = self.ask(action, request);
        async move {
            match answer.await {
                Ok(answer) => Ok(answer),
                Err(failure) => Err(self.explain(*failure, doing).await),
            }
        }
    }

    /// A failure as an error. An encoded authorization message is decoded first, if the role may do that.
    pub(crate) async fn explain(&self, mut failure: Failure, doing: &str) -> Error {
        if let Some(encoded) = failure.encoded() {
            let request = self.sts.decode_authorization_message().encoded_message(encoded).send();
            // Without the permission to decode it, the policy statement is made from the call's name.
            if let Ok(answer) = self.ask("DecodeAuthorizationMessage", request).await {
                failure.decoded(answer.decoded_message().unwrap_or_default());
            }
        }
        failure.into_error(doing)
    }

    /// Like [`Client::explain`], for a failed create call. Its ledger entry is closed, unless the resource may have
    /// been created although no answer was received.
    pub(crate) async fn not_created(&self, run: &Run, ticket: Ticket, failure: Failure, doing: &str) -> Error {
        if !failure.unknown() {
            run.ledger().close(ticket, Closed::Refused);
        }
        self.explain(failure, doing).await
    }
}

/// Time-outs for transfers of objects, which depend on their size; steps have time limits of their own.
fn unhurried() -> TimeoutConfig {
    TimeoutConfig::builder().disable_operation_timeout().disable_operation_attempt_timeout().build()
}

/// The region, and the account if it is not the bake's own.
fn place(region: &str, account: Option<&str>) -> String {
    account.map_or_else(|| region.to_owned(), |account| format!("{region} of {account}"))
}

/// State that the clients of one account share.
struct ClientOrigin {
    sts: aws_sdk_sts::Client,
    sts_region: Region,
    account: Option<String>,
    identity: Identity,
}

fn sts(config: &SdkConfig, region: &Region, meter: &Meter) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(config).region(region.clone());
    aws_sdk_sts::Client::from_conf(config.interceptor(ClockCorrection).interceptor(meter.clone()).build())
}
