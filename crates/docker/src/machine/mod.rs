//! A machine: a container whose init sleeps while commands run beside it.

mod changes;
mod communicator;
mod container;
mod dial;
mod exec;
mod files;
mod kill;
mod launch;
mod network;
mod stop;

pub(crate) use container::remove;
pub(crate) use launch::{launch, new_name, own_labels};
