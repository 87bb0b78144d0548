//! Publishing: a registered image gets its tags and is pushed to its registry.

mod deliver;
mod judge;
mod login;
mod push;
mod references;
mod refused;

pub(crate) use deliver::publish;
pub(crate) use judge::judge;
