//! Capture: the disk is brought to rest, its content is fixed, and an image is made of it.

mod console;
mod ec2_image;
mod freeze;
mod mode;
mod pending;
mod rest;
mod shared;
mod snapshots;
mod start;

pub(crate) use mode::{Take, take};
pub(crate) use shared::{Shared, Unknown};
pub(crate) use snapshots::SNAPSHOT;
pub(crate) use start::capture;
