//! `ami-bake images`: lists, shows, exports and deletes images.

mod export;
mod list;
mod remove;
mod rows;
mod selection;
mod show;

pub(crate) use list::{Args, run};
