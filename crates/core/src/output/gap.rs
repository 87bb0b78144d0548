//! Output that is not shown: its amount and its end.

use std::sync::Arc;

use memchr::memchr_iter;

use super::end::StreamEnd;
use super::sink::Stream;
use crate::mask::Masker;

/// Maximum number of lines shown of each stream's end.
const LINES: usize = 20;

/// Output that is not shown.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    ends: [StreamEnd; 2],
}

impl Gap {
    /// Counts bytes, and keeps the last of them.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.count(bytes);
        self.ends[stream as usize].push(bytes);
    }

    /// Counts bytes without keeping them.
    pub(super) fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.lines += memchr_iter(b'\n', bytes).count() as u64;
    }

    /// Marks what a stream prints next as the rest of a line.
    pub(super) fn tear(&mut self, stream: Stream) {
        self.ends[stream as usize].tear();
    }

    /// The amount for messages: `12345 lines (3.4 MB)`.
    pub(super) fn amount(&self) -> String {
        let lines = if self.lines == 1 { "line" } else { "lines" };
        format!("{} {lines} ({})", self.lines, size(self.bytes))
    }

    /// The end of a stream from the beginning of a line; `None` when no line begins in what was kept.
    pub(super) fn end(&self, stream: Stream) -> Option<&[u8]> {
        self.ends[stream as usize].whole()
    }

    /// The last whole lines of a stream.
    pub(super) fn last_lines(&self, stream: Stream, masker: &Arc<Masker>) -> Vec<String> {
        let mut lines = self.ends[stream as usize].lines(masker);
        lines.drain(..lines.len().saturating_sub(LINES));
        lines
    }
}

/// Formats a number of bytes.
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is printed")]
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_whole_lines() {
        let mut gap = Gap::default();
        let masker = Arc::new(Masker::default());
        masker.add("half-a-secret");
        gap.tear(Stream::Stdout);
        gap.take(Stream::Stdout, b"a-secret\none\ntwo\n");
        gap.take(Stream::Stderr, b"err\r\nhalf-a-secret");
        assert_eq!(gap.amount(), "4 lines (35 B)");
        assert_eq!(gap.last_lines(Stream::Stdout, &masker), ["one", "two"]);
        assert_eq!(gap.last_lines(Stream::Stderr, &masker), ["err", "***"]);
        for number in 0..100_000 {
            gap.take(Stream::Stdout, format!("line {number}\n").as_bytes());
        }
        let lines = gap.last_lines(Stream::Stdout, &masker);
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 99980", "line 99999"));
        gap.take(Stream::Stdout, &vec![b'x'; 1 << 20]);
        assert!(gap.last_lines(Stream::Stdout, &masker).is_empty());
        assert_eq!(gap.amount(), "100004 lines (2.1 MB)");
    }
}
