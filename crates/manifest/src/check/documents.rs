//! Validates component documents of steps, with the crate that runs them.

use std::path::Path;

use ami_bake_core::plan::{ComponentStep, ImagePlan, Phase, Step, StepAction};
use ami_bake_core::{Route, Segment};

use crate::diagnostic::{Diagnostic, FileId, Sources};
use crate::document::Document;
use crate::manifest::{ImageEntry, Manifest};
use crate::tree::Node;

/// Validates the document of each `component` step.
pub(super) fn plan(
    manifest: &Manifest,
    image: &ImageEntry,
    plan: &ImagePlan,
    sources: &mut Sources,
    findings: &mut Vec<Diagnostic>,
) {
    let Some(validate) = manifest.options.documents else { return };
    let steps: Vec<&Step> = plan.build.iter().chain(&plan.validate).chain(&plan.test).collect();
    let capabilities =
        manifest.options.capabilities.iter().find(|known| known.platform == manifest.platform().as_str());
    for step in &steps {
        let StepAction::Component(ComponentStep { path, parameters, phases }) = &step.action else { continue };
        let own = Route(step.route.0.iter().skip(2).cloned().collect::<Vec<Segment>>());
        let Some(node) = image.node.at(&own.0) else { continue };
        let Some(file) = read(manifest, path, node, &step.route, sources, findings) else { continue };
        let used: Vec<Phase> = steps.iter().flat_map(|other| phases_of(other, path)).copied().collect();
        let env: Vec<String> = step.env.iter().map(|(name, _)| name.clone()).collect();
        let document = Document { sources, file, step: node, parameters, phases, used: &used, env: &env, capabilities };
        validate(&document, findings);
    }
}

/// Maximum size of a document in bytes; a larger one is invalid anyway (the limit of a manifest).
const LIMIT: u64 = 4 << 20;

fn phases_of<'a>(step: &'a Step, document: &Path) -> &'a [Phase] {
    match &step.action {
        StepAction::Component(ComponentStep { path, phases, .. }) if path == document => phases,
        _ => &[],
    }
}

/// Adds the document to the sources. A missing file is reported elsewhere.
fn read(
    manifest: &Manifest,
    path: &Path,
    step: &Node,
    route: &Route,
    sources: &mut Sources,
    findings: &mut Vec<Diagnostic>,
) -> Option<FileId> {
    let shown = path.display().to_string();
    let shown = shown.strip_prefix("./").unwrap_or(&shown);
    if let Some(file) = sources.find(shown) {
        return Some(file);
    }
    match String::from_utf8(manifest.files.read(path, LIMIT).ok()?) {
        Ok(text) => Some(sources.add(shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let place = step.place(&Route::root().key("component"));
            let message = format!("could not read {shown}: invalid UTF-8 at byte {at}");
            let finding = Diagnostic::error("unreadable", place, message).route(route.key("component"));
            findings.push(finding.help("Save the file as UTF-8."));
            None
        }
    }
}
