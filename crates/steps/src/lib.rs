//! Runs the steps of a manifest's `build`, `validate` and `test` on a machine, and what every bake does there besides:
//! listing packages, searching for secrets, sealing.

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
