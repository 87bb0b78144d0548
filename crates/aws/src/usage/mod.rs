//! Users of images. An image whose users can't be determined counts as used.

mod groups;
mod of_image;
mod references;
mod reports;
mod shared;
mod users;

pub(crate) use groups::all_groups;
pub(crate) use of_image::{Reports, holder, usage};
