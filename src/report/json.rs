//! `bake --json`: every event as one line of JSON, in the format that a recorded run has.

use std::io::Write;

use ami_bake_core::event::Envelope;
use ami_bake_core::report::Report;

use super::reporter::Reporter;

/// Writes events as JSON lines.
pub(crate) struct JsonLines<W: Write + Send> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out` and flushes after each line, so that a reader sees events as they happen.
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn on_event(&mut self, envelope: &Envelope, _: &Report) {
        if let Ok(line) = serde_json::to_string(envelope) {
            // A workflow's runner obeys `##[` anywhere in a line. In JSON it can only be part of a string, where the
            // escape means the same.
            let mut line = line.replace("##[", "#\\u0023[");
            line.push('\n');
            // A reader that went away must not end the bake.
            let _ = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}
