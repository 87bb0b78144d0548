//! Sources of credentials, and the SDK's default chain as one.

use std::future::Future;

use ami_bake_core::Result;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};

use super::missing::explain;
use super::settings::Identity;
use crate::client::failure::chain;

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
        let said = match &self.provider {
            Some(provider) => match provider.provide_credentials().await {
                Ok(credentials) => return Ok(credentials),
                Err(error) => chain(&error),
            },
            None => String::new(),
        };
        Err(explain(&said, |name| std::env::var(name).ok(), self.help.as_deref()))
    }
}
