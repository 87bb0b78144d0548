//! Splits a stream into lines.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::clean::Cleaner;
use crate::mask::{MaskStream, Masker};

/// A line longer than this is cut into several, in bytes: memory is bounded whatever a machine prints.
pub const LINE_LIMIT: usize = 16 << 10;

/// States of a progress bar that are skipped are shorter. One of that many bytes that are not UTF-8 is shorter than a line.
const STATE: usize = LINE_LIMIT / 4;

/// A line, sanitized and masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text, without a line end.
    pub text: String,
    /// The line was cut here at [`LINE_LIMIT`]; the next one continues it.
    pub cut: bool,
}

/// Splits one stream into lines at LF and CRLF. A lone CR draws the line anew, as progress bars do: only its last state
/// is a line. Blank lines are left out.
///
/// Memory is bounded: by a line, and by what the masker holds back. Escape sequences are taken out before secrets are
/// masked, and lines are cut after it, so that neither hides one.
#[derive(Debug)]
pub struct LineSplitter {
    masker: Arc<Masker>,
    cleaner: Cleaner,
    /// The line that has begun, not masked yet.
    text: String,
    /// A CR came: what follows replaces the text.
    returned: bool,
    /// The beginning of the line is too long to be replaced, and was masked already.
    spilled: bool,
    masking: MaskStream,
    /// Masked text that no line was made of yet.
    masked: String,
    /// A part of the masked line was cut off already.
    begun: bool,
}

impl LineSplitter {
    /// Masks what `masker` knows.
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

    /// Takes bytes and hands each line that they complete to `emit`, until that returns false. Returns how many bytes were
    /// taken: fewer than there are only after `emit` returned false.
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

    /// Emits what is left. Call it when the stream has ended.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Line) -> bool) {
        self.settle();
        if !self.pass(emit) {
            return;
        }
        self.masking.finish(&mut self.masked);
        self.masked.push('\n');
        self.emit(emit);
    }

    /// Forgets the line that has begun; the length of what is forgotten, when there was one.
    pub(super) fn reset(&mut self) -> Option<usize> {
        let begun = self.begun || self.spilled || !self.text.is_empty() || !self.masked.is_empty();
        let length = self.text.len() + self.masked.len();
        *self = Self::new(Arc::clone(&self.masker));
        begun.then_some(length)
    }

    /// What a progress bar shows now: the text before a CR after which nothing came yet.
    pub fn redrawn(&self) -> Option<String> {
        (self.returned && !self.text.is_empty()).then(|| self.masker.mask(&self.text))
    }

    /// Skips to the last whole state of a progress bar; the number of bytes that are skipped. Only saves time.
    fn skip_states(&mut self, bytes: &[u8]) -> usize {
        let line = &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())];
        let Some(last) = memrchr(b'\r', line) else { return 0 };
        let Some(before) = memrchr(b'\r', &line[..last]) else { return 0 };
        let state = &line[before + 1..last];
        // What is too long to be drawn anew is a line of its own.
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
                // Only an escape sequence that clears the line: what stood there is still its last state.
                self.text = before;
            } else {
                self.returned = false;
            }
        } else {
            self.cleaner.push(piece, &mut self.text);
        }
    }

    /// The line, or one state of it, ends: so does a character that it began.
    fn settle(&mut self) {
        let mut rest = String::new();
        self.cleaner.end(&mut rest);
        if !rest.is_empty() && std::mem::take(&mut self.returned) {
            self.text.clear();
        }
        self.text.push_str(&rest);
    }

    /// The line ends.
    fn end(&mut self, emit: &mut dyn FnMut(Line) -> bool) -> bool {
        self.returned = false;
        let spilled = std::mem::take(&mut self.spilled);
        if self.text.is_empty() && !spilled {
            return true;
        }
        self.text.push('\n');
        self.pass(emit)
    }

    /// Masks the text.
    fn pass(&mut self, emit: &mut dyn FnMut(Line) -> bool) -> bool {
        self.masking.feed(&self.text, &mut self.masked);
        self.text.clear();
        self.emit(emit)
    }

    /// Emits the masked lines, and cuts off what is too long.
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

/// The lines of a whole text, sanitized and masked.
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
        // Characters of three bytes are never cut.
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
        // Colours within the secret don't hide it, wherever the chunks break.
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
