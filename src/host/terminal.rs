//! A terminal, a pipe or a log file.

use std::io::Write as _;

use super::Host;
use crate::report::{self, Reporter, Show};
use crate::ui::Ui;

/// Writes data to standard output and everything for people to standard error.
pub(crate) struct TerminalHost {
    ui: Ui,
}

impl TerminalHost {
    /// Looks at the streams and at the environment.
    pub(crate) fn detect() -> Self {
        Self { ui: Ui::detect() }
    }
}

impl Host for TerminalHost {
    fn ui(&self) -> Ui {
        self.ui
    }

    /// A reader that went away is not an error.
    fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn say(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    fn reporter(&self, show: Show) -> Box<dyn Reporter> {
        report::reporter(show, self.ui, Box::new(std::io::stdout()), Box::new(std::io::stderr()))
    }
}
