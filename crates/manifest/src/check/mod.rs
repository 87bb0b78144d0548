//! Checks beyond structure and expressions.

mod connect;
mod deploy;
mod documents;
mod ec2;
mod environments;
mod files;
mod graph;
mod host_key;
mod images;
mod inherit;
mod moving;
mod names;
mod platform;
mod playbooks;
mod secrets;
mod steps;
mod uploads;
mod volumes;

pub(crate) use environments::{complete, environments};
pub(crate) use files::structure_only;
pub(crate) use graph::graph;
pub(crate) use images::images;
pub(crate) use inherit::inherit;
pub(crate) use moving::moving;
pub(crate) use secrets::secrets;
