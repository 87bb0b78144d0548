//! The verbs, one a file: what a verb takes, and what it does.

pub(crate) mod bake;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod component;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod matrix;
pub(crate) mod plan;
#[cfg(feature = "aws")]
pub(crate) mod policy;
pub(crate) mod publish;
#[cfg(feature = "github")]
pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod sweep;
pub(crate) mod test;
