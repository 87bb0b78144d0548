//! The one secret masker: what is declared secret never leaves the program in clear.

use std::sync::{OnceLock, RwLock};

/// The replacement for a secret.
pub const MASK: &str = "***";

/// Masking shorter values would garble ordinary text and reveal more than it hides.
const SHORTEST: usize = 4;

/// Knows the secrets of a run and takes them out of text.
#[derive(Default)]
pub struct Masker {
    secrets: RwLock<Vec<String>>,
    listener: OnceLock<Listener>,
}

/// Hears of a secret before anything of this program can show it.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker(***)")
    }
}

impl Masker {
    /// Passes every secret to `listener` too, from now on: others that show this program's output have to mask them. A
    /// second listener is not heard.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// Adds a secret: the value, each of its lines, and its base64 and URL forms. Call it before the first use.
    pub fn add(&self, secret: &str) {
        if let (Some(listener), false) = (self.listener.get(), self.knows(secret)) {
            listener(secret);
        }
        let mut forms = vec![secret.to_owned(), base64(secret.as_bytes()), percent(secret)];
        forms.extend(secret.lines().map(|line| line.trim().to_owned()));
        let mut secrets = self.secrets.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if form.len() >= SHORTEST && !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // The longest first: a secret that holds another one is replaced whole.
        secrets.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    fn knows(&self, secret: &str) -> bool {
        let secrets = self.secrets.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        secrets.iter().any(|known| known == secret)
    }

    /// Where `bytes`, to which more may come, can be cut without cutting a secret; their length when they are a part of one.
    pub(crate) fn cut(&self, bytes: &[u8]) -> usize {
        let secrets = self.secrets.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let begun = |secret: &String| {
            let whole = secret.len().min(bytes.len());
            (1..whole).rev().find(|length| bytes.ends_with(&secret.as_bytes()[..*length]))
        };
        let mut cut = bytes.len() - secrets.iter().filter_map(begun).max().unwrap_or_default();
        // What looks like a beginning may be the end of another one.
        let across = |cut: usize, secret: &String| {
            let starts = cut.saturating_sub(secret.len() - 1)..cut;
            starts.into_iter().find(|at| bytes[*at..].starts_with(secret.as_bytes()))
        };
        while let Some(start) = secrets.iter().filter_map(|secret| across(cut, secret)).min() {
            cut = start;
        }
        if cut == 0 { bytes.len() } else { cut }
    }

    /// The text with every known secret replaced.
    pub fn mask(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut masked = text.to_owned();
        for secret in secrets.iter() {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), MASK);
            }
        }
        masked
    }
}

/// Base64 without padding (RFC 4648), so that the padded form is covered too.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text
}

/// Percent encoding of everything that is not unreserved (RFC 3986).
fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_out_every_form() {
        let masker = Masker::default();
        masker.add("p@ss w0rd!");
        assert_eq!(masker.mask("a p@ss w0rd! b"), "a *** b");
        assert_eq!(masker.mask("cEBzcyB3MHJkIQ=="), "***==");
        assert_eq!(masker.mask("x=p%40ss%20w0rd%21"), "x=***");
    }

    #[test]
    fn longer_secrets_go_first_and_short_ones_are_no_secret() {
        let masker = Masker::default();
        for secret in ["abcd", "abcdef", "x"] {
            masker.add(secret);
        }
        assert_eq!(masker.mask("abcdef abcd x"), "*** *** x");
    }

    #[test]
    fn a_listener_hears_of_each_secret_once() {
        use std::sync::{Arc, Mutex};
        let (masker, heard) = (Masker::default(), Arc::new(Mutex::new(Vec::new())));
        let ear = Arc::clone(&heard);
        masker.listen(move |secret| ear.lock().unwrap().push(secret.to_owned()));
        for secret in ["hunter22", "swordfish", "hunter22"] {
            masker.add(secret);
        }
        assert_eq!(*heard.lock().unwrap(), ["hunter22", "swordfish"]);
    }

    #[test]
    fn each_line_of_a_secret_is_one() {
        let masker = Masker::default();
        masker.add("-----BEGIN-----\nMIIEvQ\n-----END-----");
        assert_eq!(masker.mask("see MIIEvQ"), "see ***");
    }
}
