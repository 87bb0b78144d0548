//! A machine: a sandbox that this process holds.

mod capture;
mod changes;
mod communicator;
mod holder;
mod launch;
mod sandbox;
mod state;
mod stop;

pub(crate) use launch::launch;
pub(crate) use state::SandboxState;
pub(crate) use stop::discard;
