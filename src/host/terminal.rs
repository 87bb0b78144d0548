//! The host for a terminal, a pipe or a log file.

use std::sync::Arc;

use ami_bake_core::mask::Masker;
use indicatif::MultiProgress;
use serde_json::Value;

use super::Host;
use crate::out::{Cleaner, Out};
use crate::report::{self, Reporter, Show};
use crate::ui::Ui;

/// Writes data to standard output, and everything else to standard error.
pub(crate) struct TerminalHost {
    ui: Ui,
    cleaner: Cleaner,
    out: Out,
    err: Out,
    /// Progress lines of the run. Other output must be written above them while they are shown, or it is drawn over.
    progress: MultiProgress,
}

impl TerminalHost {
    /// Inspects the streams and the environment.
    pub(crate) fn detect(cleaner: Cleaner) -> Self {
        let ui = Ui::detect();
        let (out, err) = (ui.out(cleaner.clone()), ui.err(cleaner.clone()));
        Self { ui, cleaner, out, err, progress: MultiProgress::default() }
    }

    /// Writes a command to the runner of a workflow.
    #[allow(dead_code, reason = "a build without the feature `github` does not use it")]
    pub(crate) fn command(&self, command: &str) {
        self.out.command(command);
    }
}

impl Host for TerminalHost {
    fn ui(&self) -> Ui {
        self.ui
    }

    fn masker(&self) -> &Arc<Masker> {
        &self.cleaner.masker
    }

    fn data(&self, text: &str) {
        let changed = self.out.text(text);
        if changed > 0 {
            let lines = if changed == 1 { "1 line".to_owned() } else { format!("{changed} lines") };
            self.say(&format!(
                "{} inserted a space into {lines} of standard output that the runner would read as workflow commands. \
                 To get the exact text, redirect it to a file.\n",
                self.ui.paint.odd("warning:")
            ));
        }
    }

    fn json(&self, value: &Value, one_line: bool) {
        self.out.json(value, one_line);
    }

    fn say(&self, text: &str) {
        if !self.ui.live || self.progress.is_hidden() {
            self.err.text(text);
        } else {
            // A terminal that is gone must not end the bake.
            let _ = self.progress.println(self.err.render(text));
        }
    }

    fn reporter(&self, show: Show) -> Box<dyn Reporter> {
        report::reporter(show, self.ui, self.out.clone(), self.err.clone(), self.progress.clone())
    }
}
