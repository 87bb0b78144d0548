//! Only warnings, for commands that print their own result.

use std::io::Write;

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::report::Report;

use super::reporter::Reporter;
use super::text::with_help;
use crate::ui::Paint;

/// Writes warnings.
pub(super) struct Quiet {
    /// Where warnings go.
    pub(super) err: Box<dyn Write + Send>,
    /// Colours.
    pub(super) paint: Paint,
}

impl Reporter for Quiet {
    fn on_event(&mut self, envelope: &Envelope, _: &Report) {
        if let Event::Warning { message, help, .. } = &envelope.event {
            let text = with_help(message, help.as_deref());
            // A terminal that went away must not end the command.
            let _ = writeln!(self.err, "{} {text}", self.paint.odd("warning:"));
        }
    }
}
