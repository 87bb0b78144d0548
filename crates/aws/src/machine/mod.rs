//! Machines: launched, reached, restarted, given back.

mod connect;
mod deadman;
mod disk;
mod handle;
mod ingress;
mod instance;
mod keep;
mod keypair;
mod launch;
mod network;
mod profile;
mod reboot;
mod request;
mod shared;
mod tags;
mod terminate;
mod types;
mod undo;
mod user;
mod userdata;

pub(crate) use handle::AwsMachine;
pub(crate) use instance::{Instance, poller};
pub(crate) use launch::launch;
pub(crate) use shared::{Shared, close};
pub(crate) use tags::{LIFETIME, created, expiring, specification, to_ec2};
pub(crate) use undo::undo;
