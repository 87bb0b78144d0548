//! Packer's templates in HCL2: evaluated, and lowered to the tree that its JSON templates have.

mod body;
mod build;
mod builder;
mod comment;
mod data;
mod evaluate;
mod fault;
mod file;
mod files;
mod function;
mod import;
mod lower;
mod module;
mod operate;
mod places;
mod template;
mod text;
mod value;
mod variable;

pub use files::{Gathered, gather};
pub(crate) use files::{is_template, is_variables};
pub(crate) use import::import;
