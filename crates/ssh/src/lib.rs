//! The SSH communicator: runs commands on a machine, moves files, opens connections from inside it.
//!
//! [`Ssh::connect`] probes the port until it answers, checks the host key, logs in and checks that commands run as root. [`Ssh`] is then a [`Communicator`](ami_bake_core::communicator::Communicator) that reconnects by itself
//! after a lost connection. The types of the SSH library never leave this crate.

mod agent;
pub mod boot;
mod command;
mod config;
mod connect;
mod dial;
mod exec;
mod handler;
mod key;
mod kill;
mod preamble;
mod probe;
mod progress;
mod pump;
mod root;
mod session;
mod settle;
mod ssh;
mod target;
mod transfer;
mod tunnel;
pub mod user_data;

pub use key::{Key, KeyType, PublicKey};
pub use ssh::Ssh;
pub use target::{HostKey, Jump, RootAccess, RootProgram, Target, Timing};
