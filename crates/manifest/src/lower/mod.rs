//! Typed manifest to core's plan.

mod container;
mod deployment;
mod digest;
mod distribution;
mod machine;
pub(crate) mod playbook;
mod references;
mod settings;
mod step;

pub(crate) use deployment::deployment;
pub(crate) use digest::{digest, globs};
pub(crate) use machine::machine;
pub(crate) use settings::settings;
pub(crate) use step::steps;
