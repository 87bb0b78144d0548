//! Findings about a manifest, and their formats: text and JSON.

mod json;
mod private;
mod report;
mod source;
mod text;

pub use json::json;
pub use private::PrivateValues;
pub use report::{Diagnostic, MOST_FINDINGS, Severity, arrange, limit};
pub use source::{FileId, Position, Sources, Span};
pub use text::{Style, text};
