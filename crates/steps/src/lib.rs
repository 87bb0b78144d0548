//! What the steps of a manifest's `build`, `validate` and `test` do on a machine, and what every bake does there besides:
//! list the packages, search for secrets, seal. A step type is a folder here and a line in `registry.rs`.

mod ansible;
mod chef;
mod expect;
mod files;
mod foreign;
pub mod http;
mod local;
mod packages;
mod poll;
mod reboot;
mod registry;
mod runner;
mod scan;
mod seal;
mod shell;
mod step_type;
mod text;
mod wait;

pub use foreign::{ScriptCall, ScriptEnd, call};
pub use runner::StepRunner;
pub use shell::LastLines;
