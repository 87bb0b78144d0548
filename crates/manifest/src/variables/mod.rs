//! What names in expressions mean: variables from all their places, and the facts of the run.

mod facts;
pub(crate) mod values;

pub(crate) use facts::file_scope;
pub(crate) use values::variables;
