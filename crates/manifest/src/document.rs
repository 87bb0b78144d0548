//! Component documents that steps name: another room reads them, and tells what is wrong with its places.

use ami_bake_core::plan::Phase;
use ami_bake_core::platform::Capabilities;

use crate::diagnostic::{Diagnostic, FileId, Sources};
use crate::tree::Node;

/// A component document, and what a step wants of it.
pub struct Document<'a> {
    /// The files, with the document among them.
    pub sources: &'a Sources,
    /// The document.
    pub file: FileId,
    /// The step, for what is wrong with the use of the document.
    pub step: &'a Node,
    /// Values of its parameters.
    pub parameters: &'a [(String, String)],
    /// Its phases that the step runs.
    pub phases: &'a [Phase],
    /// Its phases that any step of the image runs.
    pub used: &'a [Phase],
    /// The variables of the step's environment.
    pub env: &'a [String],
    /// What the platform can do, where it is known.
    pub capabilities: Option<&'a Capabilities>,
}

/// Adds what is wrong with a document, and with a step's use of it.
pub type JudgeDocument = fn(&Document<'_>, &mut Vec<Diagnostic>);
