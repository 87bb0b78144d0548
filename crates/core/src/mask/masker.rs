//! The masker: holds the secrets of a run and masks them in text.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::forms::{self, Forms, Masking};
use super::matcher::{BuildMatcherError, Matcher};
use super::scanner::{Scanner, mask_lines};

/// The text that replaces a secret.
pub const MASK: &str = "***";

/// Holds the secrets of a run and replaces them in text.
#[derive(Default)]
pub struct Masker {
    known: RwLock<Known>,
    listener: OnceLock<Listener>,
}

#[derive(Default)]
struct Known {
    forms: Forms,
    secrets: Vec<String>,
    /// Built on first use; `None` after a new secret.
    matcher: Option<Arc<Matcher>>,
}

/// Called with each secret before this program can print it.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker(***)")
    }
}

impl Masker {
    /// Also passes every secret that is masked everywhere to `listener`, starting with those already known: the GitHub
    /// runner, for example, must mask them too. Only one listener is supported.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        if self.listener.set(Box::new(listener)).is_err() {
            return;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).secrets.clone();
        if let Some(listener) = self.listener.get() {
            known
                .iter()
                .filter(|secret| forms::masking(secret) == Masking::Everywhere)
                .for_each(|secret| listener(secret));
        }
    }

    /// Adds a secret. Call it before the first use. It is masked verbatim, and each of its lines; in JSON, shell
    /// quoting, Python's `repr`, URLs and HTML; in hexadecimal; and in base64 of both alphabets, alone, within a longer
    /// text such as `user:secret`, and broken over lines.
    ///
    /// A short word or number (four to seven characters) is masked only as a whole word. False when it is not
    /// masked at all: it has less than four characters, or is a setting such as `true`.
    pub fn add(&self, secret: &str) -> bool {
        let masking = forms::masking(secret);
        if secret.lines().all(|line| forms::masking(line) == Masking::None) && masking == Masking::None {
            return false;
        }
        if self.known.read().unwrap_or_else(PoisonError::into_inner).secrets.iter().any(|known| known == secret) {
            return true;
        }
        if let (Some(listener), Masking::Everywhere) = (self.listener.get(), masking) {
            listener(secret);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        forms::add(&mut known.forms, secret);
        known.secrets.push(secret.to_owned());
        known.matcher = None;
        true
    }

    /// The text with all known secrets masked.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        match self.matcher() {
            Ok(None) => return text.to_owned(),
            Ok(Some(matcher)) => Scanner::new(matcher).finish(text, &mut masked),
            Err(_) => mask_lines(text, &mut masked),
        }
        masked
    }

    /// The matcher of all secrets known now; `None` while there are none.
    ///
    /// # Errors
    /// When the secrets are too large. Then no text can be shown.
    pub(super) fn matcher(&self) -> Result<Option<Arc<Matcher>>, BuildMatcherError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.matcher.is_some() || known.forms.is_empty() {
            return Ok(known.matcher.clone());
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.matcher.is_none() {
            known.matcher = Some(Arc::new(Matcher::new(&known.forms)?));
        }
        Ok(known.matcher.clone())
    }
}
