//! Packer's JSON templates.

mod build;
mod builder;
mod post;
mod provisioner;
mod template;
mod variables;

pub(crate) use template::{Given, import, parts};
