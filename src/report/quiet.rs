//! Warnings alone, for commands that print an answer of their own.

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::report::Report;

use super::Reporter;
use super::text::with_help;
use crate::ui::Ui;

/// Writes warnings to standard error.
pub(crate) struct Quiet {
    ui: Ui,
}

impl Quiet {
    /// Writes to the error stream of `ui`.
    pub(crate) fn new(ui: Ui) -> Self {
        Self { ui }
    }
}

impl Reporter for Quiet {
    fn on_event(&mut self, envelope: &Envelope, _: &Report) {
        if let Event::Warning { message, help, .. } = &envelope.event {
            let words = with_help(message, help.as_deref());
            self.ui.say(&format!("{} {words}\n", self.ui.paint.odd("warning:")));
        }
    }
}
