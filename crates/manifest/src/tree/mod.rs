//! What a person wrote, as a tree whose values know where they stand: YAML and JSON, for manifests and for everything that is
//! imported or named by one.

mod json;
mod node;
mod scalar;
mod yaml;
mod yaml_error;

pub use json::parse_json;
pub use node::{Entry, Kind, Meaning, Node, Scalar};
pub use yaml::{parse, parse_with_tags};

/// How deep collections may nest: no document that a person wrote goes deeper, and a hostile one must not end the program.
const MAX_DEPTH: usize = 64;
