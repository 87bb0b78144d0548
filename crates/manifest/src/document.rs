//! The interface to the crate that validates component documents and reports findings with spans.

use ami_bake_core::plan::Phase;
use ami_bake_core::platform::Capabilities;

use crate::diagnostic::{Diagnostic, FileId, Sources};
use crate::tree::Node;

/// A component document, and how a step uses it.
pub struct Document<'a> {
    /// All source files, including the document.
    pub sources: &'a Sources,
    /// The file of the document.
    pub file: FileId,
    /// The step, for findings about its use of the document.
    pub step: &'a Node,
    /// The parameters that the step passes.
    pub parameters: &'a [(String, String)],
    /// The phases that this step runs.
    pub phases: &'a [Phase],
    /// The phases that any step of the image runs.
    pub used: &'a [Phase],
    /// The names of the step's environment variables.
    pub env: &'a [String],
    /// The capabilities of the platform, if it is built in.
    pub capabilities: Option<&'a Capabilities>,
}

/// Adds findings about a document and about the step that uses it.
pub type ValidateDocument = fn(&Document<'_>, &mut Vec<Diagnostic>);
