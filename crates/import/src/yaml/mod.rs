//! Writes the manifest: a tree with comments, and its YAML text.

mod tree;
mod write;

pub(crate) use tree::{Entry, Map, Value, at, origin, take};
pub(crate) use write::{WrittenText, comment, write, written};
