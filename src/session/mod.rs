//! Shared by commands: reading the manifest, beginning and ending a run.

mod folders;
mod imported;
mod load;
mod loaded;
mod run;
mod target;

pub(crate) use folders::{ledgers, report_broken};
pub(crate) use imported::{check_named, inputs, read};
pub(crate) use load::{Generated, Purpose, ToBake, environment, find, load, load_generated, load_to_bake};
pub(crate) use loaded::Loaded;
pub(crate) use run::{Session, Settings};
pub(crate) use target::{Target, target};
