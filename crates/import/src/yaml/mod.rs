//! The manifest as it is written: a tree with comments, and its text.

mod tree;
mod write;

pub(crate) use tree::{Entry, Map, Value, at, origin, take};
pub(crate) use write::{WrittenText, comment, write, written};
