//! Sweep: finds resources that earlier runs left behind by their tags, and deletes them.

mod list;
mod orphans;
mod remove;

pub(crate) use orphans::{Place, expired};
pub(crate) use remove::remove;
