//! Component documents: types and parser.

mod condition;
mod inputs;
mod invocation;
mod loops;
mod model;
mod parse;
mod read;
mod step;
mod texts;
mod values;
mod variables;

pub(crate) use condition::{Comparison, Condition};
pub(crate) use inputs::{permissions, validate_inputs};
pub(crate) use invocation::Invocation;
pub(crate) use model::{Branch, Document, Gate, Loop, Section, Step, Turns, Variable};
pub(crate) use parse::parse;
pub(crate) use read::{read, read_text};
pub(crate) use texts::each_text;
pub(crate) use values::flag;
