//! A machine: a container whose init sleeps while commands run beside it.

mod changes;
mod communicator;
mod container;
mod dial;
mod exec;
mod files;
mod launch;
mod network;
mod remove;
mod state;
mod stop;

pub(crate) use launch::{launch, new_name, own_labels};
pub(crate) use remove::{remove, remove_unconfirmed};
