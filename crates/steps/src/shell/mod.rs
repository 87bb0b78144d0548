//! Shell scripts on the machine: everything that this crate runs there goes through one constant loader.

mod ask;
mod call;
mod env;
mod loader;
mod outcome;
mod script;
mod words;

pub(crate) use ask::{ask, ask_with};
pub use call::{ScriptCall, ScriptEnd, call};
pub(crate) use env::{environment, exposed, variables};
pub(crate) use loader::Program;
pub use outcome::LastLines;
pub(crate) use outcome::{Tail, ended};
pub(crate) use script::{ACCOUNT, Interpreter, Script, check_user};
pub(crate) use words::words;
