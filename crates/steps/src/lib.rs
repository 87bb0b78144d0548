//! What the steps of a manifest's `build`, `validate` and `test` do on a machine, and what every bake does there besides:
//! list the packages, search for secrets, seal.

pub mod http;
mod local;
mod packages;
mod poll;
mod runner;
mod scan;
mod seal;
mod shell;
mod step_type;
mod step_types;
mod text;

pub use runner::StepRunner;
pub use shell::{LastLines, ScriptCall, ScriptEnd, call};
