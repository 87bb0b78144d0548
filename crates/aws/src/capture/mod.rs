//! Capture: quiesces the disk, takes snapshots, and makes an image from them.

mod bake_machine;
mod ec2_image;
mod freeze;
mod method;
mod pending;
mod quiesce;
mod snapshots;
mod start;

pub(crate) use bake_machine::BakeMachine;
