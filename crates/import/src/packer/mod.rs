//! Imports Packer templates.

mod build;
mod builder;
mod import;
mod json;
mod model;
mod post;
mod provisioner;
mod variables;

pub(crate) use import::{Settings, import};
pub(crate) use json::template;
pub(crate) use model::{
    BuildBlock, Builder, DeclaredVariable, MOST_BUILDERS, PackerTemplate, PostProcessor, Provisioner,
};
pub(crate) use variables::UNUSED;
