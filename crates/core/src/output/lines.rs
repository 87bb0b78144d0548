//! Splits a stream into lines.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::clean::Cleaner;
use crate::mask::{MaskStream, Masker};

/// Maximum length of a line in bytes. Longer lines are cut into several, so that memory is bounded whatever a machine
/// prints.
pub const LINE_LIMIT: usize = 16 << 10;

/// Maximum bytes of a progress bar's state that is skipped. Even if none of them are UTF-8, they decode to less than a
/// line.
const STATE: usize = LINE_LIMIT / 4;

/// A sanitized and masked line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Text of the line without its line end.
    pub text: String,
    /// True when the line was cut at [`LINE_LIMIT`] and the next one continues it.
    pub cut: bool,
}

/// Splits one stream into lines at LF and CRLF. A lone CR redraws the line, as progress bars do: only its last state is
/// emitted. Blank lines are skipped.
///
/// Memory is bounded by a line and by what the masker holds back. Escape sequences are removed before masking, and
/// lines are cut after it, so that neither hides a secret.
#[derive(Debug)]
pub struct LineSplitter {
    masker: Arc<Masker>,
    cleaner: Cleaner,
    /// The current line, not masked yet.
    text: String,
    /// True after a CR: what follows replaces the text.
    returned: bool,
    /// True when the beginning of the line was too long to be replaced, and was masked already.
    spilled: bool,
    masking: MaskStream,
    /// Masked text that is not emitted yet.
    masked: String,
    /// True when a part of the masked line was already cut off and emitted.
    begun: bool,
}

impl LineSplitter {
    /// A splitter that masks the secrets of `masker`.
    pub fn new(masker: Arc<Masker>) -> Self {
        Self {
            cleaner: Cleaner::default(),
            text: String::new(),
            returned: false,
            spilled: false,
            masking: MaskStream::new(Arc::clone(&masker)),
            masked: String::new(),
            begun: false,
            masker,
        }
    }

    /// Reads bytes and passes each line that they complete to `emit`, until that returns false. Returns the number of
    /// bytes read, which is less than all only if `emit` returned false.
    pub fn feed(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Line) -> bool) -> usize {
        let mut at = self.skip_states(bytes);
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = memchr2(b'\n', b'\r', rest);
            let length = end.unwrap_or(rest.len()).min(LINE_LIMIT);
            at += length;
            self.push(&rest[..length]);
            if self.text.len() >= LINE_LIMIT {
                self.spilled = true;
                if !self.pass(emit) {
                    return at;
                }
            }
            if end == Some(length) {
                at += 1;
                self.settle();
                if rest[length] == b'\r' && !self.spilled {
                    self.returned = true;
                } else {
                    if !self.end(emit) {
                        return at;
                    }
                    at += self.skip_states(&bytes[at..]);
                }
            }
        }
        at
    }

    /// Emits the last line. Call it at the end of the stream.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Line) -> bool) {
        self.settle();
        if !self.pass(emit) {
            return;
        }
        self.masking.finish(&mut self.masked);
        self.masked.push('\n');
        self.emit(emit);
    }

    /// Forgets the current line; returns its length in bytes, if it has begun.
    pub(super) fn reset(&mut self) -> Option<usize> {
        let begun = self.begun || self.spilled || !self.text.is_empty() || !self.masked.is_empty();
        let length = self.text.len() + self.masked.len();
        *self = Self::new(Arc::clone(&self.masker));
        begun.then_some(length)
    }

    /// The current state of a progress bar: the text before a CR after which nothing followed yet.
    pub fn redrawn(&self) -> Option<String> {
        (self.returned && !self.text.is_empty()).then(|| self.masker.mask(&self.text))
    }

    /// Skips to the last complete state of a progress bar, to save time; returns the number of bytes to skip.
    fn skip_states(&mut self, bytes: &[u8]) -> usize {
        let line = &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())];
        let Some(last) = memrchr(b'\r', line) else { return 0 };
        let Some(before) = memrchr(b'\r', &line[..last]) else { return 0 };
        let state = &line[before + 1..last];
        // A state that is too long to be redrawn counts as a line of its own.
        let mut from = 0;
        let long = memchr_iter(b'\r', &line[..=last]).any(|end| end - std::mem::replace(&mut from, end + 1) >= STATE);
        if self.spilled || long || self.text.len() >= STATE {
            return 0;
        }
        let (mut cleaner, mut text) = (Cleaner::default(), String::new());
        cleaner.push(state, &mut text);
        cleaner.end(&mut text);
        if text.is_empty() {
            return 0;
        }
        (self.cleaner, self.text, self.returned) = (Cleaner::default(), text, true);
        last + 1
    }

    fn push(&mut self, piece: &[u8]) {
        if self.returned {
            let before = std::mem::take(&mut self.text);
            self.cleaner.push(piece, &mut self.text);
            if self.text.is_empty() {
                // What follows the CR is only an escape sequence that clears the line: the text before is still the
                // last state.
                self.text = before;
            } else {
                self.returned = false;
            }
        } else {
            self.cleaner.push(piece, &mut self.text);
        }
    }

    /// Ends the line, or one state of it, and with it any incomplete character.
    fn settle(&mut self) {
        let mut rest = String::new();
        self.cleaner.end(&mut rest);
        if !rest.is_empty() && std::mem::take(&mut self.returned) {
            self.text.clear();
        }
        self.text.push_str(&rest);
    }

    /// Ends the line and emits it.
    fn end(&mut self, emit: &mut dyn FnMut(Line) -> bool) -> bool {
        self.returned = false;
        let spilled = std::mem::take(&mut self.spilled);
        if self.text.is_empty() && !spilled {
            return true;
        }
        self.text.push('\n');
        self.pass(emit)
    }

    /// Passes the text to the masker and emits the lines that it completes.
    fn pass(&mut self, emit: &mut dyn FnMut(Line) -> bool) -> bool {
        self.masking.feed(&self.text, &mut self.masked);
        self.text.clear();
        self.emit(emit)
    }

    /// Emits the masked lines, cutting those that are too long.
    fn emit(&mut self, emit: &mut dyn FnMut(Line) -> bool) -> bool {
        loop {
            let end = memchr(b'\n', self.masked.as_bytes());
            let cut = end.unwrap_or(self.masked.len()) > LINE_LIMIT;
            let line = if cut {
                let at = self.masked.floor_char_boundary(LINE_LIMIT);
                self.begun = true;
                Line { text: self.masked.drain(..at).collect(), cut }
            } else if let Some(end) = end {
                let text = self.masked[..end].to_owned();
                self.masked.drain(..=end);
                if !std::mem::take(&mut self.begun) && text.is_empty() {
                    continue;
                }
                Line { text, cut }
            } else {
                return true;
            };
            if !emit(line) {
                return false;
            }
        }
    }
}

/// Splits a whole text into sanitized and masked lines.
pub fn lines(bytes: &[u8], masker: &Arc<Masker>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut splitter = LineSplitter::new(Arc::clone(masker));
    let mut keep = |line: Line| {
        lines.push(line.text);
        true
    };
    splitter.feed(bytes, &mut keep);
    splitter.finish(&mut keep);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_chunks(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut splitter = LineSplitter::new(Arc::default());
        let mut emit = |line: Line| {
            seen.push(line.text);
            true
        };
        for chunk in chunks {
            assert_eq!(splitter.feed(chunk, &mut emit), chunk.len());
        }
        splitter.finish(&mut emit);
        seen
    }

    #[test]
    fn splits_at_lf_and_crlf() {
        assert_eq!(in_chunks(&[b"a\nb\r", b"\n\n\r\nc\xc3", b"\xbcd", b"e"]), ["a", "b", "cüde"]);
        assert_eq!(in_chunks(&[b"a\r\r", b"\nb"]), ["a", "b"]);
    }

    #[test]
    fn a_progress_bar_is_its_last_state() {
        let bar = (0..=100).fold(String::new(), |bar, percent| bar + &format!("\r\u{1b}[2Kload {percent}%"));
        assert_eq!(in_chunks(&[bar.as_bytes(), b"\r\x1b[K\nnext"]), ["load 100%", "next"]);
        assert_eq!(in_chunks(&[b"10%\r20%\r", b"done\r\n"]), ["done"]);
        assert_eq!(in_chunks(&[b"a\n1\r2\r3\r\r\nb\n4\r5\r6", b"7\r\n8\r9\r\x1b[K\r\n"]), ["a", "3", "b", "67", "9"]);
        let mut splitter = LineSplitter::new(Arc::default());
        splitter.feed(b"10%\r20%\r", &mut |_| panic!("no line ended"));
        assert_eq!(splitter.redrawn().as_deref(), Some("20%"));
        splitter.feed(b"3", &mut |_| panic!("no line ended"));
        assert_eq!(splitter.redrawn(), None);
    }

    #[test]
    fn a_long_line_is_cut_not_kept() {
        let seen = in_chunks(&[&vec![b'x'; LINE_LIMIT * 2 + 1]]);
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT, LINE_LIMIT, 1]);
        // Characters of three bytes are not cut in the middle.
        let seen = in_chunks(&["€".repeat(LINE_LIMIT).as_bytes()]);
        assert_eq!(seen.concat(), "€".repeat(LINE_LIMIT));
        // An endless escape sequence takes no memory.
        let mut splitter = LineSplitter::new(Arc::default());
        splitter.feed(b"\x1b]0;", &mut |_| panic!("no line"));
        for _ in 0..10 {
            splitter.feed(&vec![b'x'; LINE_LIMIT], &mut |_| panic!("no line"));
        }
        assert_eq!(splitter.text.capacity(), 0);
    }

    #[test]
    fn lines_do_not_depend_on_chunks() {
        let long = "z".repeat(LINE_LIMIT + 5);
        let text =
            format!("a\rb\r\u{1b}[K\r\nc\r{long}\rd\re\rf\r\n1\r2\rü\r{long}\n{long}\r\n\r\rg\rh\ri").into_bytes();
        let text = [&text[..], b"\r\xc3\rj\r\xe2\x82\r\n\xff\r\xfe\rk\xf0\x9f"].concat();
        let whole = in_chunks(&[&text]);
        for size in [1, 2, 3, 7, 1000, LINE_LIMIT - 1, LINE_LIMIT + 1] {
            assert_eq!(in_chunks(&text.chunks(size).collect::<Vec<_>>()), whole, "{size}");
        }
    }

    #[test]
    fn a_secret_that_is_wrapped_is_masked_in_each_line() {
        let masker = Arc::new(Masker::default());
        masker.add("correct horse battery staple, four random words, forty-four bits of entropy");
        let encoded = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSwgZm91ciByYW5kb20gd29yZHMs\r\n\
                       IGZvcnR5LWZvdXIgYml0cyBvZiBlbnRyb3B5\nend\n";
        for piece in [1, 3, 1000] {
            let mut seen = Vec::new();
            let mut emit = |line: Line| {
                seen.push(line.text);
                true
            };
            let mut splitter = LineSplitter::new(Arc::clone(&masker));
            encoded.as_bytes().chunks(piece).for_each(|piece| _ = splitter.feed(piece, &mut emit));
            splitter.finish(&mut emit);
            assert_eq!(seen, ["***", "***", "end"]);
        }
    }

    #[test]
    fn a_long_line_is_never_cut_within_a_secret() {
        let masker = Arc::new(Masker::default());
        let long = "long-secret/".repeat(LINE_LIMIT / 6);
        for secret in ["walnut-tree", "abab1abab", &long] {
            assert!(masker.add(secret));
        }
        // Colors within a secret do not hide it, wherever the chunks are cut.
        for secret in ["walnut-tree", "abab1abab", "waln\u{1b}[1mut-t\u{1b}[0mree", &long] {
            for before in (LINE_LIMIT - 12..=LINE_LIMIT).chain([0]) {
                let mut seen = String::new();
                let mut emit = |line: Line| {
                    seen.push_str(&line.text);
                    true
                };
                let mut splitter = LineSplitter::new(Arc::clone(&masker));
                splitter.feed(&vec![b'x'; before], &mut emit);
                for piece in format!("{secret}!\n").as_bytes().chunks(7) {
                    splitter.feed(piece, &mut emit);
                }
                splitter.finish(&mut emit);
                assert!(seen.len() == before + 4 && seen.ends_with("***!"), "{before}: {}", &seen[before.max(1) - 1..]);
            }
        }
    }
}
