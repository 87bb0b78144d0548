//! Machines: launched, reached, restarted, given back.

mod boot;
mod connect;
mod disk;
mod fresh;
mod handle;
mod hostkey;
mod ingress;
mod instance;
mod keep;
mod keypair;
mod launch;
mod network;
mod price;
mod profile;
mod reboot;
mod refusal;
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
pub(crate) use shared::{Once, Shared, close};
pub(crate) use tags::{created, expiring, hash, specification, to_ec2};
pub(crate) use terminate::give_back;
pub(crate) use undo::undo;
pub(crate) use user::USER;
