//! Registration and publishing: a tested image gets its final name, its tags, and is pushed to its registry.

mod deliver;
mod login;
mod preflight;
mod push;
mod push_error;
mod references;
mod register;

pub(crate) use deliver::publish;
pub(crate) use preflight::preflight;
pub(crate) use register::register;
