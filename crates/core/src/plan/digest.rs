//! The digest of an image: one hash of everything that it is made from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::plan::inputs::{FileHash, in_chunks};
use crate::plan::parts::{DigestPart, DigestParts, PartKind};

/// Version of the digest's meaning. Raised when the meaning changes, so that digests of different meanings never match.
const FORMAT: u32 = 1;

/// SHA-256 of everything that can change an image, as `sha256:` and 64 hexadecimal digits.
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

    /// The first twelve hexadecimal digits, for display.
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
pub struct Digester {
    whole: Sha256,
    /// The part that is being hashed beside the whole.
    open: Option<(PartKind, String, Sha256)>,
    parts: Vec<DigestPart>,
}

impl Default for Digester {
    fn default() -> Self {
        let mut digester = Self { whole: Sha256::new(), open: None, parts: Vec::new() };
        digester.part("format", FORMAT.to_be_bytes());
        digester
    }
}

impl Digester {
    /// What is added from here on belongs to this part. The digest does not depend on it.
    pub fn begin(&mut self, kind: PartKind, name: impl Into<String>) {
        self.close();
        self.open = Some((kind, name.into(), Sha256::new()));
    }

    fn close(&mut self) {
        if let Some((kind, name, hash)) = self.open.take() {
            self.parts.push(DigestPart::new(kind, name, hash.finalize().into()));
        }
    }

    /// Adds one labelled part.
    pub fn part(&mut self, label: &str, content: impl AsRef<[u8]>) {
        for bytes in [label.as_bytes(), content.as_ref()] {
            self.length(bytes.len() as u64);
            self.whole.update(bytes);
            self.note(bytes);
        }
    }

    /// Hashes into the open part alone.
    fn note(&mut self, bytes: &[u8]) {
        if let Some((_, _, hash)) = &mut self.open {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }

    /// Adds the content of a local file as one labelled part, and returns the hash of the content alone. Opens the file
    /// once and reads it in chunks. Blocks.
    ///
    /// # Errors
    /// When the file can't be read, or changes meanwhile.
    pub fn file(&mut self, label: &str, path: &Path) -> io::Result<FileHash> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() == 0 {
            // A pipe or a file of /proc: its size is only known once it has been read.
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            self.part(label, &content);
            return Ok(Sha256::digest(&content).into());
        }
        self.length(label.len() as u64);
        self.whole.update(label);
        self.length(metadata.len());
        let mut hash = Sha256::new();
        let read = in_chunks(&mut file, |chunk| {
            self.whole.update(chunk);
            hash.update(chunk);
        })?;
        if read != metadata.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file changed while it was read"));
        }
        let hash = FileHash::from(hash.finalize());
        self.note(label.as_bytes());
        self.note(&hash);
        Ok(hash)
    }

    fn length(&mut self, length: u64) {
        self.whole.update(length.to_be_bytes());
    }

    /// The digest of all parts.
    pub fn finish(self) -> Digest {
        self.finish_with_parts().0
    }

    /// The digest, and what it is made of.
    pub fn finish_with_parts(mut self) -> (Digest, DigestParts) {
        self.close();
        let mut text = String::from("sha256:");
        for byte in self.whole.finalize() {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        (Digest(text), DigestParts::new(self.parts))
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
    fn a_file_counts_as_its_content() {
        let path = std::env::temp_dir().join(format!("ami-bake-digest-{}", uuid::Uuid::new_v4()));
        for content in [String::new(), "text".to_owned(), "0123456789".repeat(50_000)] {
            std::fs::write(&path, &content).unwrap();
            let mut digester = Digester::default();
            let hash = digester.file("file", &path).unwrap();
            assert_eq!(digester.finish(), digest(&[("file", &content)]));
            assert_eq!(hash, crate::plan::hash_file(&path).unwrap());
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
        assert_ne!(digest(&[("a", "b"), ("c", "d")]), digest(&[("a", "bcd")]));
        assert_eq!(digest(&[("a", "b")]).short().len(), 12);
    }
}
