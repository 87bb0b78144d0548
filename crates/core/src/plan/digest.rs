//! What an image is made of, as one hash.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Raised when the meaning of a digest changes, so that no image of an older meaning is taken for a new one.
const FORMAT: u32 = 1;

/// SHA-256 over all that can change an image, as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// A digest read back from a tag or report.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Twelve digits for people.
    pub fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Collects labelled parts into a [`Digest`]; labels and lengths are hashed too, so that parts can't run together.
pub struct Digester(Sha256);

impl Default for Digester {
    fn default() -> Self {
        let mut digester = Self(Sha256::new());
        digester.part("format", FORMAT.to_be_bytes());
        digester
    }
}

impl Digester {
    /// Adds one labelled part.
    pub fn part(&mut self, label: &str, content: impl AsRef<[u8]>) {
        for bytes in [label.as_bytes(), content.as_ref()] {
            self.0.update((bytes.len() as u64).to_be_bytes());
            self.0.update(bytes);
        }
    }

    /// The digest of all parts.
    pub fn finish(self) -> Digest {
        let mut text = String::from("sha256:");
        for byte in self.0.finalize() {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(parts: &[(&str, &str)]) -> Digest {
        let mut digester = Digester::default();
        for (label, content) in parts {
            digester.part(label, content);
        }
        digester.finish()
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
        assert_ne!(digest(&[("a", "b"), ("c", "d")]), digest(&[("a", "bcd")]));
        assert_eq!(digest(&[("a", "b")]).short().len(), 12);
    }
}
