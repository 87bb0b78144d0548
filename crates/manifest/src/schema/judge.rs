//! The judge: every error of a file's structure, by the `jsonschema` crate.

use ami_bake_core::{Route, Segment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::{generate, sentence};
use crate::diagnostic::Diagnostic;
use crate::tree::Node;

/// A compiled schema.
pub(crate) struct Judge {
    schema: Value,
    validator: Option<Validator>,
}

impl Judge {
    /// The judge of whole documents.
    pub(crate) fn document() -> Self {
        Self::new(generate::strict())
    }

    /// The judge of one image.
    pub(crate) fn image() -> Self {
        Self::new(generate::strict_image())
    }

    fn new(schema: Value) -> Self {
        let validator = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&schema).ok();
        Self { schema, validator }
    }

    /// The schema as JSON.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }
}

/// Judges `value`, which is `node` without places; `base` is where `node` stands in the document.
pub(crate) fn judge(judge: &Judge, node: &Node, value: &Value, base: &Route, findings: &mut Vec<Diagnostic>) {
    let Some(validator) = &judge.validator else {
        findings.push(Diagnostic::error("internal", None, "the manifest's own schema could not be compiled"));
        return;
    };
    if validator.is_valid(value) {
        return;
    }
    let teller = sentence::Teller { schema: judge.schema(), node, base };
    for error in validator.iter_errors(value) {
        teller.emit(&error, findings);
    }
}

/// The place of an error.
pub(super) fn route(error: &ValidationError<'_>) -> Vec<Segment> {
    let pointer = error.instance_path().as_str();
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).map(Segment::Key).collect()
}

/// Gives numbers in a route their meaning: an index where the tree has a list.
pub(super) fn settle(node: &Node, segments: Vec<Segment>) -> Vec<Segment> {
    let mut at = Some(node);
    segments
        .into_iter()
        .map(|segment| {
            let settled = match (&segment, at) {
                (Segment::Key(key), Some(node)) if matches!(node.kind, crate::tree::Kind::List(_)) => {
                    key.parse().map_or(segment, Segment::Index)
                }
                _ => segment,
            };
            at = at.and_then(|node| node.child(&settled));
            settled
        })
        .collect()
}
