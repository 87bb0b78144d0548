//! Capture: the disk is quiesced, its content is fixed, and an image is made from it.

mod bake_machine;
mod ec2_image;
mod freeze;
mod method;
mod pending;
mod quiesce;
mod snapshots;
mod start;

pub(crate) use bake_machine::BakeMachine;
