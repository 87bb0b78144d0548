//! Values of names in expressions: variables and facts about the run.

mod facts;
pub(crate) mod values;

pub(crate) use facts::file_scope;
pub(crate) use values::{not_given, variables};
