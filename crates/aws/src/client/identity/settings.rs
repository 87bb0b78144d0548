//! Settings for the credentials of a bake.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::mask::Masker;
use ami_bake_core::token::TokenSource;

/// Receives a warning, as a sentence.
pub type Warn = Arc<dyn Fn(String) + Send + Sync>;

/// Settings for the credentials of a bake.
#[derive(Clone, Default)]
pub struct Identity {
    /// ARNs of roles; the first is assumed with the base credentials, each further one with the one before. Without
    /// roles the base credentials are used directly.
    pub roles: Vec<String>,
    /// A workflow's tokens: the first role is assumed with them instead of base credentials.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// Audience of the tokens. Default: STS' own for the partition.
    pub audience: Option<String>,
    /// Name of the sessions in CloudTrail; made with [`session_name`].
    pub session_name: Option<String>,
    /// Duration of the first role's session, 15 minutes to the role's maximum. Default: one hour.
    pub duration: Option<Duration>,
    /// Region whose STS is used. Default: the home region. Separate, because tokens of an opt-in region may not be
    /// valid elsewhere.
    pub sts_region: Option<String>,
    /// Receives every secret before anything can print it.
    pub masker: Option<Arc<Masker>>,
    /// Receives warnings.
    pub warn: Option<Warn>,
    /// Help for missing base credentials, if the caller has better advice than this crate.
    pub help: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("roles", &self.roles).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl Identity {
    /// Name of the sessions.
    pub(super) fn session(&self) -> String {
        self.session_name.clone().unwrap_or_else(|| "ami-bake".to_owned())
    }

    pub(super) fn emit(&self, message: String) {
        if let Some(warn) = &self.warn {
            warn(message);
        }
    }
}

/// A valid session name (STS API, AssumeRole, RoleSessionName: 2 to 64 of `[\w+=,.@-]`): other characters become `-`.
pub fn session_name(text: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    let mut name: String = text.chars().map(|character| if allowed(character) { character } else { '-' }).collect();
    name.truncate(64);
    if name.len() < 2 { format!("ami-bake-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_name_keeps_to_its_characters() {
        assert_eq!(session_name("ami-bake-42-shop/images"), "ami-bake-42-shop-images");
        assert_eq!(session_name("ä b"), "--b");
        assert_eq!((session_name("").as_str(), session_name(&"x".repeat(99)).len()), ("ami-bake-", 64));
    }
}
