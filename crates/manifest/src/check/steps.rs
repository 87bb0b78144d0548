//! Finds steps that can't work.

use std::path::Path;

use ami_bake_core::plan::{Exclude, ImagePlan, Step};
use ami_bake_core::{Route, Segment};

use super::files;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::model::{StepType, step_type};

/// Reports invalid globs, and missing files whose paths came from expressions.
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let Some(known) = step_type(step.action.name()) else { continue };
        globs(image, step, known.exclude(&step.action), findings);
        if let Some(path) = known.path(&step.action) {
            local(manifest, image, step, (known, &path), findings);
        }
    }
}

/// The part of a route below the image.
pub(super) fn own(route: &Route) -> Route {
    Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>())
}

/// Maximum number and length of patterns, all of which are compiled; no hand-written file has more.
const MOST_PATTERNS: usize = 1000;
const LONGEST_PATTERN: usize = 1000;

fn globs(image: &ImageEntry, step: &Step, patterns: &[String], findings: &mut Vec<Diagnostic>) {
    let mut refuse = |route: Route, message: String| {
        findings.push(Diagnostic::error("wrong-value", image.node.place(&own(&route)), message).route(route));
    };
    if patterns.len() > MOST_PATTERNS {
        let count = patterns.len();
        return refuse(step.route.key("exclude"), format!("{count} patterns; at most {MOST_PATTERNS} are supported"));
    }
    for (index, pattern) in patterns.iter().enumerate() {
        if pattern.len() > LONGEST_PATTERN {
            let route = step.route.key("exclude").index(index);
            refuse(route, format!("the pattern is longer than {LONGEST_PATTERN} bytes"));
            continue;
        }
        if let Some(problem) = Exclude::problem(pattern) {
            let route = step.route.key("exclude").index(index);
            let message = format!("`{pattern}` is not a valid glob: {problem}");
            refuse(route, message);
        }
    }
}

/// Checks a path that came from an expression; paths without expressions were checked before.
fn local(
    manifest: &Manifest,
    image: &ImageEntry,
    step: &Step,
    (known, path): (&StepType, &str),
    findings: &mut Vec<Diagnostic>,
) {
    let Some(key) = known.files.iter().find(|file| file.key == known.key) else { return };
    let route = step.route.key(key.key);
    let Some(node) = image.node.at(&own(&route).0) else { return };
    if !node.as_text().is_some_and(crate::expression::Template::is_one) {
        return;
    }
    findings.extend(files::path(path, key, node, &route, Path::new(""), &manifest.files));
}
