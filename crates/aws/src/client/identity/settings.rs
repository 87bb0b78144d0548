//! What a caller says about the credentials.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::mask::Masker;
use ami_bake_core::token::TokenSource;

/// Receives a warning, as a sentence.
pub type Warn = Arc<dyn Fn(String) + Send + Sync>;

/// Whose credentials are used.
#[derive(Clone, Default)]
pub struct Identity {
    /// ARNs of roles; the first is assumed with the base credentials, each further one from the one before. Without any
    /// the base credentials are used as they are.
    pub roles: Vec<String>,
    /// A workflow's tokens: the first role is assumed with them instead of base credentials.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// The audience of the tokens; STS' own for the partition without.
    pub audience: Option<String>,
    /// How CloudTrail names the sessions; made with [`session_name`].
    pub session_name: Option<String>,
    /// How long a session of the first role lasts (15 min to the role's maximum); an hour without.
    pub duration: Option<Duration>,
    /// The region whose STS is asked; the home region without. Apart, because an opt-in region's tokens may not be
    /// valid elsewhere.
    pub sts_region: Option<String>,
    /// Receives every secret before anything could print it.
    pub masker: Option<Arc<Masker>>,
    /// Receives warnings.
    pub warn: Option<Warn>,
    /// Help for missing base credentials, where the caller has better advice than this crate.
    pub help: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("roles", &self.roles).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl Identity {
    /// The sessions' name.
    pub(super) fn session(&self) -> String {
        self.session_name.clone().unwrap_or_else(|| "ami-bake".to_owned())
    }

    pub(super) fn emit(&self, message: String) {
        if let Some(warn) = &self.warn {
            warn(message);
        }
    }
}

/// A name of a session (STS API, AssumeRole, RoleSessionName: 2 to 64 of `[\w+=,.@-]`): what else there is becomes `-`.
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
