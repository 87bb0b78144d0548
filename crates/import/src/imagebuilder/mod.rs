//! Resources of EC2 Image Builder, as its API takes them or as CloudFormation does, and component documents.

mod collect;
mod component;
mod distribution;
mod document;
mod import;
mod infrastructure;
mod intrinsic;
mod lifecycle;
mod parent;
mod pipeline;
mod project;
mod recipe;
mod resource;
mod resource_kind;
mod scope;

pub(crate) use document::{Document, DocumentKind};
pub(crate) use import::import;
pub(crate) use intrinsic::read_document;
pub(crate) use resource_kind::kind;
