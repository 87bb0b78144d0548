//! Searches a stream for a text.

use memchr::memmem;

/// Searches a stream, keeping only what could be the beginning of the text.
pub(super) struct Search<'a> {
    text: &'a [u8],
    end: Vec<u8>,
    found: bool,
}

impl<'a> Search<'a> {
    /// A search for this text; an empty one is always found.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), end: Vec::new(), found: text.is_empty() }
    }

    /// Reads the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.found {
            return;
        }
        self.end.extend_from_slice(bytes);
        self.found = memmem::find(&self.end, self.text).is_some();
        let over = self.end.len().saturating_sub(self.text.len() - 1);
        self.end.drain(..over);
    }

    /// Whether the text was found.
    pub(super) fn found(&self) -> bool {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_chunks() {
        for cut in 0..12 {
            let mut search = Search::new("ab\ncd");
            let (one, two) = b"xx ab\ncd yy ".split_at(cut);
            search.push(one);
            search.push(two);
            assert!(search.found(), "{cut}");
        }
        assert!(Search::new("").found());
        let mut search = Search::new("ab");
        search.push(&vec![b'a'; 100_000]);
        assert!(!search.found() && search.end.len() == 1);
    }
}
