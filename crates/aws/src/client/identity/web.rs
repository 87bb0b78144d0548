//! Assumes a role with a workflow's token.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::token::{IdentityToken, TokenSource};
use ami_bake_core::{Error, Result};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use secrecy::ExposeSecret as _;

use super::arn::RoleArn;
use super::assume::{credentials, seconds};
use super::diagnosis::{Retry, decide, of_token};
use super::settings::Identity;
use super::sources::CredentialsSource;
use crate::client::failure::Failure;

/// Session duration: STS' default, which every role allows.
const SESSION: Duration = Duration::from_hours(1);
/// Time limit of one request; a dead connection must not use up the token's 300 s.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Number of retries after a refusal: the message for a wrong subject is also that for a role created a second ago.
const DOUBTS: u32 = 3;
/// Number of retries after other trouble: about a minute with the pauses.
const TROUBLES: u32 = 8;
/// The first pause, doubled each time up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Time after which a wait is reported.
const QUIET: Duration = Duration::from_secs(10);

/// Assumes a role with a new token for each attempt.
#[derive(Debug)]
pub(super) struct WebIdentity {
    sts: Client,
    tokens: Arc<dyn TokenSource>,
    identity: Identity,
    role: RoleArn,
    region: Region,
    clock: ClockHandle,
}

/// The clock in a type that implements Debug.
struct ClockHandle(Arc<dyn Clock>);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl WebIdentity {
    pub(super) fn new(
        base: &SdkConfig,
        identity: &Identity,
        role: RoleArn,
        tokens: Arc<dyn TokenSource>,
        region: Region,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let config = aws_sdk_sts::config::Builder::from(base)
            .region(region.clone())
            // Each attempt needs its own token, so the SDK must not retry.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(ATTEMPT).build())
            .build();
        Self {
            sts: Client::from_conf(config),
            tokens,
            identity: identity.clone(),
            role,
            region,
            clock: ClockHandle(clock),
        }
    }

    /// A new token; a long wait for it is reported.
    async fn token(&self, audience: &str) -> Result<IdentityToken> {
        let mut token = self.tokens.token(audience);
        tokio::select! {
            token = &mut token => return token,
            () = self.clock.0.sleep(QUIET) => {}
        }
        self.identity.emit(format!("Waiting for an OIDC token from {}", self.tokens.host()));
        token.await
    }
}

impl CredentialsSource for WebIdentity {
    async fn get(&self) -> Result<Credentials> {
        let audience = self.identity.audience.as_deref().unwrap_or(self.role.audience());
        let mut duration = self.identity.duration.unwrap_or(SESSION);
        let (mut pause, start, mut said) = (PAUSE, self.clock.0.elapsed(), false);
        for attempt in 1..=TROUBLES {
            let token = self.token(audience).await?;
            let request = self.sts.assume_role_with_web_identity().role_arn(self.role.as_str());
            let request = request.role_session_name(self.identity.session()).duration_seconds(seconds(duration));
            let failure = match request.web_identity_token(token.secret.expose_secret()).send().await {
                Ok(answer) => {
                    return answer.credentials().and_then(credentials).ok_or_else(|| {
                        Error::preflight(format!(
                            "could not assume the role {}: the response from STS contains no credentials",
                            self.role
                        ))
                    });
                }
                Err(error) => Failure::new("AssumeRoleWithWebIdentity", self.region.as_ref(), &error),
            };
            match decide(&failure) {
                Retry::ShorterSession if duration > SESSION => {
                    self.identity.emit(format!(
                        "{} does not allow sessions of {}; using sessions of 1h, which are renewed",
                        self.role,
                        ami_bake_core::duration::human(duration)
                    ));
                    duration = SESSION;
                    continue;
                }
                Retry::Soon if attempt < DOUBTS => {}
                Retry::Patiently if attempt < TROUBLES => {}
                _ => return Err(of_token(&failure, &self.role, &token.claims, self.region.as_ref())),
            }
            if !said && self.clock.0.elapsed().saturating_sub(start) + pause >= QUIET {
                said = true;
                let why = if failure.code().is_empty() { "no answer" } else { failure.code() };
                self.identity.emit(format!("Waiting for STS to assume the role {} ({why})", self.role));
            }
            self.clock.0.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Error::internal("no attempt to get credentials from STS"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ami_bake_testkit::clock::ManualClock;
    use aws_config::BehaviorVersion;

    use super::*;

    /// A provider that never answers.
    #[derive(Debug)]
    struct Silent;

    #[async_trait::async_trait]
    impl TokenSource for Silent {
        async fn token(&self, _: &str) -> Result<IdentityToken> {
            std::future::pending().await
        }

        fn host(&self) -> String {
            "tokens.example".to_owned()
        }
    }

    #[tokio::test]
    async fn a_silent_provider_of_tokens_is_named() {
        let base = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let clock = Arc::new(ManualClock::default());
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&said);
        let identity =
            Identity { warn: Some(Arc::new(move |message| log.lock().unwrap().push(message))), ..Identity::default() };
        let role = RoleArn::parse("arn:aws:iam::123456789012:role/bake").unwrap();
        let source =
            WebIdentity::new(&base, &identity, role, Arc::new(Silent), Region::new("us-east-1"), clock.clone());
        let waiting = tokio::spawn(async move { source.get().await.map(drop) });
        clock.run_until(Duration::from_secs(1), || !said.lock().unwrap().is_empty()).await;
        assert_eq!(*said.lock().unwrap(), ["Waiting for an OIDC token from tokens.example"]);
        assert!(clock.elapsed() <= Duration::from_secs(20) && !waiting.is_finished());
    }
}
