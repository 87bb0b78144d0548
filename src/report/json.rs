//! Writes events for `bake --json`: one line of JSON each, in the format of a recorded run.

use ami_bake_core::event::Envelope;
use ami_bake_core::report::Report;

use super::reporter::Reporter;
use crate::out::Out;

/// Writes events as JSON lines.
pub(crate) struct JsonLines {
    /// The stream that events are written to, each as it happens.
    pub(super) out: Out,
}

impl Reporter for JsonLines {
    fn on_event(&mut self, envelope: &Envelope, _: &Report) {
        if let Ok(line) = serde_json::to_string(envelope) {
            self.out.json_line(&line);
        }
    }
}
