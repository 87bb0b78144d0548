//! Tokens that say who this program is: an OIDC provider signs them, a cloud exchanges them for credentials.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::Result;

/// The claims of a token. Unlike the token, they are not secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: whom the token is about.
    pub subject: String,
    /// `aud`: whom it is for.
    pub audience: String,
    /// `iss`: who signed it.
    pub issuer: String,
    /// `repository`: `owner/name`.
    pub repository: Option<String>,
    /// `repository_owner_id`.
    pub owner_id: Option<String>,
    /// `repository_id`.
    pub repository_id: Option<String>,
    /// `exp`: when it ends.
    pub expires: Option<Timestamp>,
}

/// A signed token.
#[derive(Debug, Clone)]
pub struct IdentityToken {
    /// The token itself.
    pub secret: SecretString,
    /// Claims in the token.
    pub claims: Claims,
}

/// Mints tokens. Each lives for minutes, so that a new one is asked for whenever credentials are renewed.
#[async_trait]
pub trait TokenSource: Debug + Send + Sync {
    /// A fresh token for this audience.
    ///
    /// # Errors
    /// When the provider refuses, or does not answer after retries; the help says what to change.
    async fn token(&self, audience: &str) -> Result<IdentityToken>;
}
