//! The bake manifest: YAML to a tree with places, judged as a whole, typed, and lowered to core's plan.

mod check;
pub mod diagnostic;
mod document;
mod expression;
mod family;
mod load;
mod lower;
mod manifest;
pub mod model;
mod options;
mod recipe;
mod resolve;
mod schema;
mod template;
pub mod tree;
mod variables;
mod variant;
pub mod words;

pub use document::{Document, JudgeDocument};
pub use load::Loaded;
pub use manifest::Manifest;
pub use options::{Git, Github, Options};
pub use schema::{reference, schema};
pub use template::TEMPLATE;
