//! Reads templates in Packer's HCL2, evaluating expressions as far as values are known.

mod assign;
mod body;
mod build;
mod comment;
mod declare;
mod error;
mod evaluate;
mod file;
mod files;
mod function;
mod json;
mod lower;
mod module;
mod number;
mod operate;
mod read;
mod reference;
mod scope;
mod source;
mod template;
mod text;
mod validate;
mod value;
mod variable;

pub use files::{TemplateFiles, gather};
pub(crate) use files::{is_template, is_variables};
pub(crate) use read::{HclInput, read};
