//! Sweep: what earlier runs left behind is found by its tags, and deleted.

mod list;
mod orphans;
mod remove;

pub(crate) use orphans::{Place, expired};
pub(crate) use remove::remove;
