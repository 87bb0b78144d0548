//! `ami-bake images`: lists, shows, exports and deletes images.

mod export;
mod inventory;
mod list;
mod remove;
mod rows;
mod show;

pub(crate) use list::{Args, run};
