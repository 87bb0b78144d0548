//! What reading the local files of an image gave.

use super::{Digest, DigestParts, Inputs};

/// What an image is made of, once its local files were read.
#[derive(Debug, Clone)]
pub struct ReadInputs {
    /// All of it as one hash.
    pub digest: Digest,
    /// What the digest is made of.
    pub parts: DigestParts,
    /// The local files that steps send.
    pub inputs: Inputs,
}

impl ReadInputs {
    /// Of an image that exists, whose files are not read.
    pub(super) fn known(digest: Digest) -> Self {
        Self { digest, parts: DigestParts::default(), inputs: Inputs::default() }
    }
}
