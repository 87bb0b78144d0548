//! What a run tells: every reporter sees each event and the report so far, and nothing else prints.

mod dispatch;
#[cfg(feature = "github")]
mod guard;
mod json;
mod quiet;
pub(crate) mod summary;
mod terminal;
mod text;

use ami_bake_core::event::{Envelope, Failure};
use ami_bake_core::report::Report;

pub(crate) use dispatch::{Dispatcher, abort};
pub(crate) use json::JsonLines;
pub(crate) use quiet::Quiet;
pub(crate) use terminal::Terminal;
#[cfg(feature = "github")]
pub(crate) use text::Lines;
pub(crate) use text::place;

/// Shows a run as it goes on.
pub(crate) trait Reporter: Send {
    /// Takes the next event; `report` holds it already.
    fn on_event(&mut self, envelope: &Envelope, report: &Report);
}

/// Renders a failure whole, with its place in the manifest where it has one.
pub(crate) type Explain = Box<dyn Fn(&Failure) -> String + Send>;
