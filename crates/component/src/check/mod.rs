//! What can be said of a document before a machine starts.

mod lax;
mod platform;
mod refer;
mod usage;

use ami_bake_core::plan::Phase;
use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::Diagnostic;

use crate::document::{Document, Section, judge_inputs, parse};

/// Tells what is wrong with a component document, and with a step's use of it.
pub fn judge(given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let Some(document) = parse(given.file, given.sources, findings) else { return };
    for step in document.phases.iter().flat_map(|phase| &phase.steps) {
        judge_inputs(step, findings);
    }
    refer::judge(&document, given, findings);
    platform::judge(&document, given, findings);
    usage::judge(&document, given, findings);
    lax::judge(&document, given, findings);
}

/// The phases of the document that some step of the image runs.
fn used<'a>(document: &'a Document, phases: &[Phase]) -> impl Iterator<Item = &'a Section> {
    document.phases.iter().filter(move |section| phases.iter().any(|phase| phase.as_str() == section.name))
}
