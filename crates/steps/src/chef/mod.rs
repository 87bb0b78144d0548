//! The verb `chef`: chef-solo or cinc-solo on the machine, which has to have it.

mod again;
mod configuration;
mod converge;

pub(crate) use converge::{Chef, chef};
