//! Findings about a manifest, and their rendering as text and JSON.

mod json;
mod report;
mod source;
mod text;

pub use json::json;
pub use report::{Diagnostic, Severity, arrange};
pub use source::{FileId, Position, Sources, Span};
pub use text::{Style, text};
