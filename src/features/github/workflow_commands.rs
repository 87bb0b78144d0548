//! Output of a command that a workflow step runs (`run: ami-bake bake`): the runner obeys workflow commands in it.

use std::io::{Result, Write};

use ami_bake_github::runner::defuse;

/// Writes whole lines, and changes those that the runner would take for workflow commands.
pub(super) struct SafeWriter<W> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> SafeWriter<W> {
    /// Writes to `inner`.
    pub(super) fn new(inner: W) -> Self {
        Self { inner, line: Vec::new() }
    }
}

impl<W: Write> Write for SafeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.inner.write_all(defuse(&String::from_utf8_lossy(&line)).as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

impl<W> Drop for SafeWriter<W> {
    fn drop(&mut self) {
        debug_assert!(self.line.is_empty(), "the last line ends with a line feed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_pieces_is_one_line() {
        let mut seen = Vec::new();
        let mut writer = SafeWriter::new(&mut seen);
        for piece in ["a #", "#", "[error]b\n:", ":error::c\n"] {
            write!(writer, "{piece}").unwrap();
        }
        drop(writer);
        assert_eq!(String::from_utf8(seen).unwrap(), "a ## [error]b\n: :error::c\n");
    }
}
