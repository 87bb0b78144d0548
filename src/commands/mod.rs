//! The commands, one per file: arguments and implementation. Commands that need an optional crate are in `features`.

pub(crate) mod bake;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod component;
pub(crate) mod fmt;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod matrix;
pub(crate) mod plan;
mod planned;
pub(crate) mod publish;
pub(crate) mod schema;
pub(crate) mod sweep;
pub(crate) mod test;
