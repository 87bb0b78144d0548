//! What can be said of a document before a machine starts.

mod arn;
mod lax;
mod platform;
mod refer;
mod usage;

pub(crate) use refer::each;

use ami_bake_core::plan::Phase;
use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};

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
    // Each of these is told once, as a reference without quotes.
    findings.retain(|finding| {
        let text = finding.span.map_or("", |span| given.sources.slice(span));
        finding.code != "wrong-value" || !text.starts_with("{{")
    });
}

/// The phases of a document that a bake runs, in its own order; none of a text that is no document.
pub fn phases(text: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    let file = sources.add("", text);
    let document = parse(file, &sources, &mut Vec::new());
    let sections = document.as_ref().map(|document| document.phases.as_slice()).unwrap_or_default();
    let known = |name: &str| usage::PHASES.into_iter().find(|phase| *phase == name);
    sections.iter().filter_map(|section| known(&section.name)).collect()
}

/// The phases of the document that some step of the image runs.
fn used<'a>(document: &'a Document, phases: &[Phase]) -> impl Iterator<Item = &'a Section> {
    document.phases.iter().filter(move |section| phases.iter().any(|phase| phase.as_str() == section.name))
}
