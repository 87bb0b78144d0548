//! Values of names in expressions: variables and facts about the run.

mod facts;
mod values;

pub(crate) use facts::file_scope;
pub(crate) use values::{Variables, not_given, variables};
