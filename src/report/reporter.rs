//! The interface of reporters.

use ami_bake_core::event::{Envelope, Failure};
use ami_bake_core::report::Report;

/// Shows a run in progress.
pub(crate) trait Reporter: Send {
    /// Takes the next event; `report` includes it already.
    fn on_event(&mut self, envelope: &Envelope, report: &Report);
}

/// Formats a failure, with its line in the manifest if it has one.
pub(crate) type Explain = Box<dyn Fn(&Failure) -> String + Send>;

/// The parts of a run that a reporter shows.
pub(crate) enum Show {
    /// Everything, for people.
    All(Explain),
    /// Every event as a line of JSON.
    Events,
    /// Only warnings: the command prints its own result.
    Warnings,
}
