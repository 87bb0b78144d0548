//! Masks a text that arrives in pieces.

use std::sync::Arc;

use super::masker::Masker;
use super::matcher::BuildMatcherError;
use super::scanner::{Scanner, mask_lines};

/// Masks a text that arrives in pieces, such as the output of a command, wherever the pieces are cut. One stream of
/// output needs one of these.
///
/// Text with line breaks goes in, the same lines come out. A secret that is broken over several lines is masked in each
/// of them. Give it text without control characters: a secret with an escape sequence in the middle is not found.
///
/// It holds back until more text arrives, or the end:
/// - the last characters of the text, where they may be the beginning of a secret in any of its forms or of an escape
///   such as `\u0026`, and one character more;
/// - lines, only where at least eight characters before the line break are the beginning of a form;
/// - never more than six times the longest form and 64 KiB; what is longer is handed on.
///
/// So at most seven characters of a secret are shown: its beginning, before a line break.
pub struct MaskStream {
    masker: Arc<Masker>,
    scanner: Option<Scanner>,
}

impl MaskStream {
    /// A stream that masks the secrets of `masker`, including those added later.
    pub fn new(masker: Arc<Masker>) -> Self {
        Self { masker, scanner: None }
    }

    /// Reads the next piece, and appends what is safe to show to `out`.
    pub fn feed(&mut self, text: &str, out: &mut String) {
        match self.scanner(out) {
            Ok(Some(scanner)) => scanner.feed(text, out),
            Ok(None) => out.push_str(text),
            Err(_) => mask_lines(text, out),
        }
    }

    /// Appends the rest of the text to `out`. The stream can be used again.
    pub fn finish(&mut self, out: &mut String) {
        if let Ok(Some(scanner)) = self.scanner(out) {
            scanner.finish("", out);
        }
    }

    /// The scanner for the secrets known now; `None` while there are none.
    fn scanner(&mut self, out: &mut String) -> Result<Option<&mut Scanner>, BuildMatcherError> {
        let Some(matcher) = self.masker.matcher()? else { return Ok(None) };
        if !self.scanner.as_ref().is_some_and(|scanner| Arc::ptr_eq(&scanner.matcher, &matcher)) {
            // A secret was added: the held-back text is scanned again.
            let held = self.scanner.take().map(Scanner::into_pending).unwrap_or_default();
            let mut scanner = Scanner::new(matcher);
            scanner.feed(&held, out);
            self.scanner = Some(scanner);
        }
        Ok(self.scanner.as_mut())
    }
}

impl std::fmt::Debug for MaskStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskStream(***)")
    }
}
