//! The streams of a command that a workflow runs by itself (`run: ami-bake bake`): the runner listens there too.

use std::io::{Result, Write};

use ami_bake_github::runner::defuse;

/// Writes whole lines, of which none is a command to the runner.
pub(super) struct Guarded<W> {
    inner: W,
    begun: Vec<u8>,
}

impl<W: Write> Guarded<W> {
    /// Writes to `inner`.
    pub(super) fn new(inner: W) -> Self {
        Self { inner, begun: Vec::new() }
    }
}

impl<W: Write> Write for Guarded<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                self.inner.write_all(defuse(&String::from_utf8_lossy(&line)).as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

impl<W> Drop for Guarded<W> {
    fn drop(&mut self) {
        debug_assert!(self.begun.is_empty(), "the last line has an end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_pieces_is_one_line() {
        let mut seen = Vec::new();
        let mut guarded = Guarded::new(&mut seen);
        for piece in ["a #", "#", "[error]b\n:", ":error::c\n"] {
            write!(guarded, "{piece}").unwrap();
        }
        drop(guarded);
        assert_eq!(String::from_utf8(seen).unwrap(), "a ## [error]b\n: :error::c\n");
    }
}
