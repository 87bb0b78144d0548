//! Identity tokens of this program: an OIDC provider signs them, a cloud exchanges them for credentials.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::Result;

/// Claims of a token. Unlike the token, they are not secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: subject.
    pub subject: String,
    /// `aud`: audience.
    pub audience: String,
    /// `iss`: issuer.
    pub issuer: String,
    /// `repository`: `owner/name`.
    pub repository: Option<String>,
    /// `repository_owner_id`.
    pub owner_id: Option<String>,
    /// `repository_id`.
    pub repository_id: Option<String>,
    /// `exp`: expiry time.
    pub expires: Option<Timestamp>,
}

/// A signed token with its claims.
#[derive(Debug, Clone)]
pub struct IdentityToken {
    /// The token itself.
    pub secret: SecretString,
    /// Claims in the token.
    pub claims: Claims,
}

/// Mints tokens. They are valid for minutes, so a new one is requested whenever credentials are renewed.
#[async_trait]
pub trait TokenSource: Debug + Send + Sync {
    /// A new token for this audience.
    ///
    /// # Errors
    /// When the provider refuses, or does not answer after retries; the help says what to change.
    async fn token(&self, audience: &str) -> Result<IdentityToken>;

    /// Host name of the provider, for messages.
    fn host(&self) -> String;
}
