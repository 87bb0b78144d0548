//! What is judged beyond structure and expressions.

mod documents;
mod deploy;
mod environments;
mod files;
mod graph;
mod images;
mod moving;
mod names;
mod platform;
mod steps;
mod unsupported;

pub(crate) use environments::{complete, environments};
pub(crate) use files::structure_only;
pub(crate) use graph::graph;
pub(crate) use images::images;
pub(crate) use moving::moving;
pub(crate) use unsupported::{fields as unsupported_fields, unsupported};
