//! Values of references and conditions on a machine, at run time.

mod condition;
mod memory;
mod resolve;

pub(crate) use memory::{FinishedStep, Memory, Outputs, Turn};
pub(crate) use resolve::Scope;
