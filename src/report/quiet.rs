//! A reporter that only shows warnings, for commands that print their own result.

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::report::Report;

use super::reporter::Reporter;
use super::text::with_help;
use crate::out::Out;
use crate::ui::Paint;

/// Writes warnings.
pub(super) struct Quiet {
    /// The stream that warnings are written to.
    pub(super) err: Out,
    /// Whether to use colors.
    pub(super) paint: Paint,
}

impl Reporter for Quiet {
    fn on_event(&mut self, envelope: &Envelope, _: &Report) {
        if let Event::Warning { message, help, .. } = &envelope.event {
            let text = with_help(message, help.as_deref());
            self.err.text(&format!("{} {text}\n", self.paint.odd("warning:")));
        }
    }
}
