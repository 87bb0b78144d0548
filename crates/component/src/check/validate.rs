//! Runs all checks of a document.
use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};

use super::{missing_set_e, platform, references, usage};
use crate::document::{parse, validate_inputs};

/// Reports all problems in a component document and in a step's use of it.
pub fn validate(given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let Some(document) = parse(given.file, given.sources, findings) else { return };
    for step in document.phases.iter().flat_map(|phase| &phase.steps) {
        validate_inputs(step, findings);
    }
    references::validate(&document, given, findings);
    platform::validate(&document, given, findings);
    usage::validate(&document, given, findings);
    missing_set_e::validate(&document, given, findings);
    // An unquoted reference has been reported already.
    findings.retain(|finding| {
        let text = finding.span.map_or("", |span| given.sources.slice(span));
        finding.code != "wrong-value" || !text.starts_with("{{")
    });
}

/// The phases of a document that a bake runs, in the document's order; empty for an invalid document.
pub fn phases(text: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    let document = parse(file, &sources, &mut Vec::new());
    let sections = document.as_ref().map(|document| document.phases.as_slice()).unwrap_or_default();
    let known = |name: &str| usage::PHASES.into_iter().find(|phase| *phase == name);
    sections.iter().filter_map(|section| known(&section.name)).collect()
}
