//! What `check` says, and how it is shown: for people, as JSON, as annotations in a workflow.

mod github;
mod json;
mod report;
mod source;
mod text;

pub use github::github_annotations;
pub use json::json;
pub use report::{Diagnostic, Severity, arrange};
pub use source::{FileId, Position, Sources, Span};
pub use text::{Style, text};
