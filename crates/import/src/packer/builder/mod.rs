//! Converts builders to images.

mod access;
mod block_devices;
mod docker;
mod image;
mod machine;
mod network;
mod publish;
mod source;
mod tags;
mod unsupported;

pub(in crate::packer) use docker::changes;
pub(in crate::packer) use image::image;
