//! What `check` says, and how it is shown: for people and as JSON.

mod json;
mod report;
mod source;
mod text;

pub use json::json;
pub use report::{Diagnostic, Severity, arrange};
pub use source::{FileId, Position, Sources, Span};
pub use text::{Style, text};
