//! A machine: a sandbox that is held by this process.

mod capture;
mod changes;
mod communicator;
mod helper;
mod holder;
mod launch;
mod sandbox;

pub(crate) use capture::IMAGE;
pub(crate) use communicator::Inside;
pub(crate) use helper::Helper;
pub(crate) use holder::Holder;
pub(crate) use launch::launch;
pub(crate) use sandbox::{Sandbox, Shared};
