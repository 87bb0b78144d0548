//! What references and conditions of a document mean on a machine, now.

mod condition;
mod memory;
mod resolve;

pub(crate) use memory::{FinishedStep, Memory, Outputs, Turn};
pub(crate) use resolve::Scope;
