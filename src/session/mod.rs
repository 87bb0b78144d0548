//! What the verbs have in common: the manifest, the run, its end.

mod folders;
mod imported;
mod loaded;
mod run;
mod target;

pub(crate) use folders::ledgers;
pub(crate) use imported::{environment, inputs, read};
pub(crate) use loaded::{Loaded, Written, load, write};
pub(crate) use run::{Parts, Session, Show};
pub(crate) use target::target;
