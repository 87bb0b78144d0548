//! Validates the structure of a document with the `jsonschema` crate, which reports every error with its path.

use std::sync::LazyLock;

use ami_bake_core::Route;
use jsonschema::Validator;
use serde_json::Value;

use super::explain::Explainer;
use super::generate;
use crate::diagnostic::{Diagnostic, MOST_FINDINGS};
use crate::tree::Node;

/// A compiled schema.
pub(crate) struct SchemaValidator {
    schema: Value,
    validator: Option<Validator>,
}

impl SchemaValidator {
    /// The validator for whole manifests. It is built once: that takes longer than most validations.
    pub(crate) fn document() -> &'static Self {
        static DOCUMENT: LazyLock<SchemaValidator> = LazyLock::new(|| SchemaValidator::new(generate::strict()));
        &DOCUMENT
    }

    /// The validator for a single image.
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

/// Validates `value`, which is the value of `node`; `base` is the route of `node` in the manifest.
pub(crate) fn validate(
    schema: &SchemaValidator,
    node: &Node,
    value: &Value,
    base: &Route,
    findings: &mut Vec<Diagnostic>,
) {
    let Some(validator) = &schema.validator else {
        findings.push(Diagnostic::error("internal", None, "the manifest schema is invalid"));
        return;
    };
    if validator.is_valid(value) {
        return;
    }
    let explainer = Explainer { schema: schema.schema(), node, base };
    for error in validator.iter_errors(value).take(MOST_FINDINGS) {
        explainer.explain(&error, findings);
    }
}
