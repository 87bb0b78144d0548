//! Imports resources of EC2 Image Builder, in the form of its API or of CloudFormation, and component documents.

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
