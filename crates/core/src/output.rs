//! What a machine prints: split into lines, sanitized, masked, and emitted as events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::mask::Masker;

/// Which of a command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes raw output as it arrives.
pub trait OutputSink: Send {
    /// Takes the next bytes of one stream; chunk borders mean nothing.
    fn write(&mut self, stream: Stream, bytes: &[u8]);
}

/// Keeps both streams whole in memory, up to a limit; for commands of our own whose answer is read by the program.
#[derive(Debug, Default)]
pub struct Collect {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// No answer that this program reads is longer; a machine that prints more is cut here, not stored.
const COLLECT_LIMIT: usize = 64 << 20;

impl OutputSink for Collect {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let buffer = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let free = COLLECT_LIMIT.saturating_sub(buffer.len());
        buffer.extend_from_slice(&bytes[..bytes.len().min(free)]);
    }
}

impl Collect {
    /// Standard output as text, invalid UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, invalid UTF-8 replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A line longer than this is cut into several: a progress bar must not become a gigabyte of memory.
const LINE_LIMIT: usize = 16 << 10;

/// Splits both streams into lines at LF, CRLF and a lone CR and hands each finished line on, without control characters.
pub struct Lines<F: FnMut(Stream, String) + Send> {
    buffers: [Vec<u8>; 2],
    masker: Option<Arc<Masker>>,
    emit: F,
}

impl<F: FnMut(Stream, String) + Send> Lines<F> {
    /// Hands every finished line to `emit`.
    pub fn new(emit: F) -> Self {
        Self { buffers: [Vec::new(), Vec::new()], masker: None, emit }
    }

    /// Cuts no long line in the middle of a secret: neither half of it would be masked.
    #[must_use]
    pub fn with_secrets(mut self, masker: Arc<Masker>) -> Self {
        self.masker = Some(masker);
        self
    }

    /// Emits a last line that has no line end. Call it when the command has ended.
    pub fn finish(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.buffers[stream as usize].is_empty() {
                self.flush(stream);
            }
        }
    }

    fn flush(&mut self, stream: Stream) {
        let bytes = std::mem::take(&mut self.buffers[stream as usize]);
        (self.emit)(stream, sanitize(&String::from_utf8_lossy(&bytes)));
    }
}

impl<F: FnMut(Stream, String) + Send> OutputSink for Lines<F> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        for &byte in bytes {
            let buffer = &mut self.buffers[stream as usize];
            match byte {
                // An empty buffer at LF is the second half of CRLF, or a blank line nobody misses.
                b'\n' | b'\r' if buffer.is_empty() => {}
                b'\n' | b'\r' => self.flush(stream),
                _ => {
                    buffer.push(byte);
                    if buffer.len() >= LINE_LIMIT {
                        let cut = self.masker.as_ref().map_or(buffer.len(), |masker| masker.cut(buffer));
                        let cut = if cut == 0 { buffer.len() } else { cut };
                        let rest = buffer.split_off(cut);
                        self.flush(stream);
                        self.buffers[stream as usize] = rest;
                    }
                }
            }
        }
    }
}

/// Text from a machine without what could steer a terminal: escape sequences and control characters go, a tab stays.
/// Bidirectional overrides go too: they make a line read otherwise than it is.
pub fn sanitize(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => clean.push('\t'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            character if character.is_control() => {}
            character => clean.push(character),
        }
    }
    clean
}

/// Drops the rest of an ANSI escape sequence (ECMA-48): CSI up to its final byte, OSC and its kin up to BEL or ST.
fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.peek() {
        Some('[') => {
            characters.next();
            for character in characters.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&character) {
                    break;
                }
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            characters.next();
            while let Some(character) = characters.next() {
                if character == '\u{7}' {
                    break;
                }
                if character == '\u{1b}' {
                    characters.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some(_) => {
            characters.next();
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut sink = Lines::new(|_, line| seen.push(line));
        for chunk in chunks {
            sink.write(Stream::Stdout, chunk);
        }
        sink.finish();
        seen
    }

    #[test]
    fn splits_at_every_kind_of_line_end() {
        assert_eq!(lines(&[b"a\nb\r", b"\nc\rd", b"e"]), ["a", "b", "c", "de"]);
    }

    #[test]
    fn drops_what_steers_a_terminal() {
        assert_eq!(sanitize("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{8}\u{202e}y\tz"), "red xy\tz");
        assert_eq!(sanitize("\u{1b}]8;;http://x\u{1b}\\link"), "link");
    }

    #[test]
    fn a_long_line_is_never_cut_within_a_secret() {
        let masker = Arc::new(Masker::default());
        masker.add("walnut-tree");
        masker.add("abab1abab");
        for secret in ["walnut-tree", "abab1abab"] {
            for before in LINE_LIMIT - 12..=LINE_LIMIT {
                let mut seen = Vec::new();
                let mut sink = Lines::new(|_, line| seen.push(masker.mask(&line))).with_secrets(Arc::clone(&masker));
                sink.write(Stream::Stdout, &vec![b'x'; before]);
                sink.write(Stream::Stdout, format!("{secret}!\n").as_bytes());
                sink.finish();
                drop(sink);
                let text = seen.concat();
                assert!(text.len() == before + 4 && text.ends_with("x***!"), "{}", &text[before - 1..]);
            }
        }
    }

    #[test]
    fn a_long_line_is_cut_not_kept() {
        let seen = lines(&[&vec![b'x'; LINE_LIMIT * 2 + 1]]);
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT, LINE_LIMIT, 1]);
    }
}
