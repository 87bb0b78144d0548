//! Reporters, which show a run: each sees all events and the current report, and nothing else prints.

mod dispatch;
mod display;
mod json;
mod quiet;
mod reporter;
pub(crate) mod summary;
mod terminal;
pub(crate) mod text;

pub(crate) use dispatch::{Dispatcher, Snapshot};
pub(crate) use reporter::{Explain, Reporter, Show};
pub(crate) use terminal::reporter;
