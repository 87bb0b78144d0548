//! Moves launch templates and Auto Scaling groups to an image, and back when it does not come up.

mod actions;
mod back;
mod cluster;
mod compare;
mod copy;
mod entry;
mod group;
mod image;
mod job;
mod judge;
mod keys;
mod pointers;
mod prune;
mod refresh;
mod remove;
mod replace;
mod shared;
mod template;
mod traffic;
mod undo;

pub(crate) use actions::actions;
pub(crate) use entry::{GROUP, REFRESH, VERSION};
pub(crate) use job::deploy;
pub(crate) use judge::judge;
pub(crate) use shared::Shared;
pub(crate) use undo::{expired, undo};
