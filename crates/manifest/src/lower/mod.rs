//! Lowers the typed manifest to the plan of core.

mod container;
mod deployment;
mod digest;
mod distribution;
mod machine;
mod settings;
mod step;

pub(crate) use deployment::deployment;
pub(crate) use digest::digest;
pub(crate) use machine::{machine, test_connect};
pub(crate) use settings::settings;
pub(crate) use step::steps;
