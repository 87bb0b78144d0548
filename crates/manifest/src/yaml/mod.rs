//! YAML to a tree with places: one document, no tags, aliases under a budget, every problem with its place.

mod build;
mod node;
mod scalar;
mod syntax;

pub use build::parse;
pub use node::{Entry, Kind, Meaning, Node, Scalar};
