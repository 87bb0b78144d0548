//! Assumes a role with existing credentials.

use std::time::Duration;

use ami_bake_core::{Error, Result};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;

use super::diagnosis::{Retry, decide, of_role};
use super::settings::Identity;
use super::sources::CredentialsSource;
use crate::client::clock_correction::ClockCorrection;
use crate::client::failure::Failure;

/// Maximum duration of a session that was assumed from another role's session (STS API, AssumeRole, "role chaining"); a
/// longer one is an error.
const SESSION: Duration = Duration::from_hours(1);
/// Session duration that every role allows.
const SHORTEST: Duration = Duration::from_mins(15);

/// Assumes a role with the credentials of a configuration.
#[derive(Debug)]
pub(super) struct AssumeRole {
    sts: Client,
    role: String,
    session: String,
    region: Region,
    duration: Duration,
}

impl AssumeRole {
    pub(super) fn new(config: &SdkConfig, identity: &Identity, role: &str, region: Region) -> Self {
        let config = aws_sdk_sts::config::Builder::from(config).region(region.clone()).interceptor(ClockCorrection);
        let sts = Client::from_conf(config.build());
        let duration = identity.duration.map_or(SESSION, |duration| duration.min(SESSION));
        Self { sts, role: role.to_owned(), session: identity.session(), region, duration }
    }

    async fn ask(&self, duration: Duration) -> Result<Credentials, Refusal> {
        let request = self.sts.assume_role().role_arn(&self.role).role_session_name(&self.session);
        let answer = request
            .duration_seconds(seconds(duration))
            .send()
            .await
            .map_err(|error| Refusal::Failed(Box::new(Failure::new("AssumeRole", self.region.as_ref(), &error))))?;
        answer.credentials().and_then(credentials).ok_or_else(|| {
            let error = Error::preflight(format!(
                "could not assume the role {}: the response from STS contains no credentials",
                self.role
            ));
            Refusal::Empty(error)
        })
    }
}

/// Why there are no credentials.
enum Refusal {
    Failed(Box<Failure>),
    Empty(Error),
}

impl CredentialsSource for AssumeRole {
    async fn get(&self) -> Result<Credentials> {
        let answer = match self.ask(self.duration).await {
            Err(refusal) if matches!(&refusal, Refusal::Failed(failure) if decide(failure) == Retry::ShorterSession) => {
                self.ask(SHORTEST).await
            }
            answer => answer,
        };
        answer.map_err(|refusal| match refusal {
            // Missing base credentials have been explained in full.
            Refusal::Failed(failure) => match failure.explained() {
                Some(error) => error.clone(),
                None => of_role(&failure, &self.role, self.region.as_ref()),
            },
            Refusal::Empty(error) => error,
        })
    }
}

/// A duration in whole seconds, for the API.
pub(super) fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// The credentials in an answer.
pub(super) fn credentials(answer: &aws_sdk_sts::types::Credentials) -> Option<Credentials> {
    let end = std::time::SystemTime::try_from(*answer.expiration()).ok()?;
    let token = Some(answer.session_token().to_owned());
    Some(Credentials::new(answer.access_key_id(), answer.secret_access_key(), token, Some(end), "ami-bake"))
}
