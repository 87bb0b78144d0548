//! The bake manifest. YAML is parsed into a tree with spans, validated as a whole, deserialized, and lowered to the
//! plan of core.

pub mod access;
pub mod budget;
mod check;
pub mod diagnostic;
mod document;
mod expression;
mod family;
mod formatter;
mod load;
mod lower;
mod manifest;
pub mod model;
mod needs;
mod options;
mod playbook;
mod printed;
mod recipe;
mod resolve;
mod schema;
mod secret;
mod step_files;
mod template;
pub mod tree;
mod variables;
mod variant;
pub mod words;

pub use document::{Document, ValidateDocument};
pub use formatter::canonical;
pub use load::{Loaded, Written};
pub use manifest::Manifest;
pub use needs::Task;
pub use options::{Git, Github, Options};
pub use printed::{PrintedImage, yaml};
pub use schema::{reference, schema};
pub use template::{TEMPLATE, VM_TEMPLATE};
