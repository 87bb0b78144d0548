//! Sources of credentials, and the SDK's default chain as one.

use std::future::Future;

use ami_bake_core::{Error, Result};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_types::error::display::DisplayErrorContext;

use super::settings::Identity;

/// A source of credentials.
pub(super) trait CredentialsSource: Send + Sync + std::fmt::Debug + 'static {
    /// Fetches credentials.
    fn get(&self) -> impl Future<Output = Result<Credentials>> + Send;
}

/// The SDK's default chain.
#[derive(Debug)]
pub(super) struct DefaultChain {
    provider: Option<SharedCredentialsProvider>,
    help: Option<String>,
}

impl DefaultChain {
    pub(super) fn of(base: &SdkConfig, identity: &Identity) -> Self {
        Self { provider: base.credentials_provider(), help: identity.help.clone() }
    }
}

impl CredentialsSource for DefaultChain {
    async fn get(&self) -> Result<Credentials> {
        let why = match &self.provider {
            Some(provider) => match provider.provide_credentials().await {
                Ok(credentials) => return Ok(credentials),
                Err(error) => format!("{}", DisplayErrorContext(error)),
            },
            None => "no credentials provider is configured".to_owned(),
        };
        Err(Error::preflight("no usable AWS credentials")
            .help(self.help.clone().unwrap_or_else(|| {
                "Grant the workflow `permissions: {id-token: write}` and add a role to the manifest (`aws: {role: …}`), or set AWS_PROFILE, \
                 or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. `aws sts get-caller-identity` shows whether credentials work."
                    .to_owned()
            }))
            .because(std::io::Error::other(why)))
    }
}
