//! A machine: a virtual machine that this process runs.

mod access;
mod boot;
mod capture;
mod keep;
mod launch;
mod outside;
mod state;
mod stop;
mod user;
mod virtual_machine;

pub(crate) use capture::FIRMWARE;
pub(crate) use launch::hardware as preflight;
pub(crate) use launch::{Computer, launch};
pub(crate) use state::VmState;
pub(crate) use stop::discard;
pub(crate) use user::USER;
