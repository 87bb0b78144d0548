//! Files of Image Builder.

use std::path::PathBuf;

use super::resource_kind::ResourceKind;
use crate::input::InputValue;

/// A file with a resource, a stack of resources, or a component document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) root: InputValue,
    pub(crate) kind: DocumentKind,
}

/// Kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    CloudFormation,
    /// An AWSTOE document.
    Component,
    /// A resource in the form of Image Builder's API.
    Resource(ResourceKind),
}
