//! Keeps the end of a stream, for messages about how a command ended.

use std::sync::Arc;

use memchr::memchr;

use super::lines::lines;
use crate::mask::Masker;

/// Number of bytes that are kept.
const KEPT: usize = 16 << 10;

/// The last kilobytes of a stream.
#[derive(Debug, Default)]
pub struct StreamEnd {
    bytes: Vec<u8>,
    /// True when the kept text begins within a line. The rest of a line may be half of a secret, which the masker would
    /// not recognize.
    torn: bool,
}

impl StreamEnd {
    /// Adds the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(KEPT)..];
        if last.len() < bytes.len() {
            self.bytes.clear();
            self.torn = true;
        }
        self.bytes.extend_from_slice(last);
        // Not trimmed at every call, since a flood also arrives in small pieces.
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
            self.torn = true;
        }
    }

    /// Marks what follows as the rest of a line.
    pub(super) fn tear(&mut self) {
        self.torn = true;
    }

    /// The kept text from the beginning of its first whole line; `None` when no line begins in it.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        if self.torn { memchr(b'\n', &self.bytes).map(|end| &self.bytes[end + 1..]) } else { Some(&self.bytes) }
    }

    /// The whole lines, sanitized and masked.
    pub fn lines(&self, masker: &Arc<Masker>) -> Vec<String> {
        lines(self.whole().unwrap_or_default(), masker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_bounded_and_never_half_a_secret() {
        let masker = Arc::new(Masker::default());
        masker.add("walnut-tree");
        for piece in [1, 7, 4096, 100_000] {
            let mut end = StreamEnd::default();
            let text = "a walnut-tree\n".repeat(10_000);
            for piece in text.as_bytes().chunks(piece) {
                end.push(piece);
                assert!(end.bytes.len() <= 2 * KEPT);
            }
            let lines = end.lines(&masker);
            assert!(lines.len() > 1_000 && lines.iter().all(|line| line == "a ***"), "{:?}", lines.first());
        }
    }
}
