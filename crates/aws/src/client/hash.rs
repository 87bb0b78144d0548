//! Short hashes for names and tokens.

use sha2::{Digest, Sha256};

/// The first hexadecimal digits of a text's SHA-256, 64 at most.
pub(crate) fn hash(text: &str, digits: usize) -> String {
    use std::fmt::Write as _;
    let mut hash = String::new();
    for byte in Sha256::digest(text) {
        let _ = write!(hash, "{byte:02x}");
    }
    hash.truncate(digits);
    hash
}
