//! The verbs of the steps: what a manifest's `build`, `validate` and `test` do on a machine, and what every bake does
//! there besides: list the packages, look for secrets, seal.

mod ansible;
mod chef;
mod expect;
mod files;
mod foreign;
mod inputs;
mod packages;
mod poll;
mod scan;
mod seal;
mod shell;
mod text;
mod verbs;
mod wait;

pub use foreign::{Call, Ended, call};
pub use inputs::{digest_of_files, file_inputs};
pub use shell::LastWords;
pub use verbs::StepRunner;
