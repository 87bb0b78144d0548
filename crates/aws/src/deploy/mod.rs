//! Deployments: move launch templates and Auto Scaling groups to an image, and roll back on failure.

mod actions;
mod cluster;
mod compare;
mod copy;
mod current;
mod deployer;
mod fleet;
mod group;
mod image;
mod job;
mod keys;
mod ledger_kinds;
mod orphans;
mod pointers;
mod preflight;
mod prune;
mod refresh;
mod remove;
mod replace;
mod rollback;
mod rollout;
mod template;
mod traffic;
mod undo;
mod verify;

pub(crate) use actions::actions;
pub(crate) use deployer::Deployer;
pub(crate) use ledger_kinds::{GROUP, REFRESH, VERSION};
pub(crate) use orphans::{orphaned_versions, remove_version};
pub(crate) use preflight::preflight;
pub(crate) use rollout::deploy;
pub(crate) use undo::{expired, undo};
