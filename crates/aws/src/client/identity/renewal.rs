//! Renews credentials before they expire in the middle of a bake.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ami_bake_core::mask::Masker;
use ami_bake_core::{Error, Result};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use tokio::sync::Mutex;

use super::sources::CredentialsSource;

/// Time before the expiry at which credentials are renewed, so that no call of a long stage meets expired ones; for
/// shorter lifetimes it is a third of them.
const BEFORE: Duration = Duration::from_mins(5);
/// Pause after a failed renewal while the old credentials are still valid.
const AGAIN: Duration = Duration::from_secs(20);
/// Time for which a definite refusal is cached, so that forty calls at once do not ask STS three times each.
const STANDS: Duration = Duration::from_mins(1);

/// Provides a source's credentials and renews them in time. To the SDK's cache it reports the renewal time as the
/// expiry: the cache has one margin for all lifetimes, and some sessions are shorter than 5 minutes.
pub(super) struct RenewingProvider<S> {
    source: S,
    masker: Option<Arc<Masker>>,
    state: Mutex<State>,
    now: fn() -> SystemTime,
}

#[derive(Default)]
struct State {
    /// The credentials with their real expiry, and their renewal time.
    current: Option<(Credentials, SystemTime)>,
    refused: Option<(Error, SystemTime)>,
}

impl<S> fmt::Debug for RenewingProvider<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewingProvider")
    }
}

impl<S: CredentialsSource> RenewingProvider<S> {
    pub(super) fn new(source: S, masker: Option<Arc<Masker>>) -> Self {
        Self { source, masker, state: Mutex::default(), now: SystemTime::now }
    }

    async fn give(&self) -> Result<Credentials> {
        // Callers that wait here want the credentials that are being fetched.
        let mut state = self.state.lock().await;
        let now = (self.now)();
        if let Some((current, renewal)) = &state.current
            && now < *renewal
        {
            return Ok(ending(current, *renewal));
        }
        if let Some((error, since)) = &state.refused
            && now.duration_since(*since).is_ok_and(|passed| passed < STANDS)
        {
            return Err(error.clone());
        }
        match self.source.get().await {
            Ok(credentials) => {
                if let Some(masker) = &self.masker {
                    masker.add(credentials.secret_access_key());
                    credentials.session_token().into_iter().for_each(|token| _ = masker.add(token));
                }
                state.refused = None;
                let Some(end) = credentials.expiry() else { return Ok(credentials) };
                let life = end.duration_since(now).unwrap_or_default();
                let renewal = end - BEFORE.min(life / 3);
                let given = ending(&credentials, renewal);
                state.current = Some((credentials, renewal));
                Ok(given)
            }
            Err(error) => {
                let left = state.current.as_ref().and_then(|(current, _)| current.expiry()?.duration_since(now).ok());
                match (left, &mut state.current) {
                    // The old credentials are still valid: a hiccup of STS does not end a bake.
                    (Some(left), Some((current, renewal))) if left > Duration::from_secs(1) => {
                        *renewal = now + AGAIN.min(left / 2);
                        Ok(ending(current, *renewal))
                    }
                    _ => {
                        state.refused = Some((error.clone(), now));
                        Err(error)
                    }
                }
            }
        }
    }
}

impl<S: CredentialsSource> ProvideCredentials for RenewingProvider<S> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let result: provider::Result = self.give().await.map_err(CredentialsError::provider_error);
            result
        })
    }
}

/// The same credentials with another expiry.
fn ending(credentials: &Credentials, end: SystemTime) -> Credentials {
    let mut credentials = credentials.clone();
    *credentials.expiry_mut() = Some(end);
    credentials
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    // Seconds since the epoch. Thread-local, because each test has a thread of its own.
    thread_local!(static NOW: AtomicU64 = const { AtomicU64::new(1_000) });

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.with(|now| now.load(Ordering::Relaxed)))
    }

    fn pass(seconds: u64) {
        NOW.with(|now| now.fetch_add(seconds, Ordering::Relaxed));
    }

    /// Numbered credentials with this lifetime; requests three to five are refused.
    #[derive(Debug)]
    struct Numbered {
        life: u64,
        asked: AtomicU64,
    }

    impl CredentialsSource for Numbered {
        async fn get(&self) -> Result<Credentials> {
            let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            if (3..=5).contains(&number) {
                return Err(Error::preflight("STS has a hiccup"));
            }
            let end = now() + Duration::from_secs(self.life);
            Ok(Credentials::new(number.to_string(), "the-secret", Some("the-token".to_owned()), Some(end), "test"))
        }
    }

    fn renewing(life: u64) -> RenewingProvider<Numbered> {
        let masker = Some(Arc::new(Masker::default()));
        RenewingProvider { now, ..RenewingProvider::new(Numbered { life, asked: AtomicU64::new(0) }, masker) }
    }

    async fn key(provider: &RenewingProvider<Numbered>) -> String {
        provider.give().await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test]
    async fn an_hour_is_renewed_five_minutes_before_its_end() {
        let provider = renewing(3600);
        assert_eq!(key(&provider).await, "1");
        let told = provider.give().await.unwrap().expiry().unwrap();
        assert_eq!(told.duration_since(now()).unwrap(), Duration::from_mins(55));
        pass(55 * 60 - 1);
        assert_eq!(key(&provider).await, "1");
        pass(1);
        assert_eq!(key(&provider).await, "2");
        assert_eq!(provider.masker.as_ref().unwrap().mask("the-secret the-token"), "*** ***");
    }

    #[tokio::test]
    async fn nine_seconds_are_renewed_after_six_and_a_hiccup_is_lived_through() {
        let provider = renewing(9);
        assert_eq!(key(&provider).await, "1");
        pass(6);
        assert_eq!(key(&provider).await, "2");
        pass(6);
        // Refused, but the old credentials are valid for three more seconds.
        assert_eq!(key(&provider).await, "2");
        pass(2);
        let error = provider.give().await.unwrap_err();
        assert_eq!(error.message(), "STS has a hiccup");
        // The refusal is cached: the source is not asked again.
        assert!(provider.give().await.is_err());
        assert_eq!(provider.source.asked.load(Ordering::Relaxed), 4);
    }
}
