//! Steps that cannot work.

use ami_bake_core::plan::{ImagePlan, Step, StepAction};
use ami_bake_core::{Route, Segment};

use super::files;
use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::manifest::ImageEntry;
use crate::model::step_type;

/// Reports invalid globs, and missing files whose paths came from expressions.
pub(super) fn plan(image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        match &step.action {
            StepAction::Upload(upload) => {
                globs(image, step, &upload.exclude, findings);
                local(image, step, &upload.from, upload.contents, findings);
            }
            StepAction::Download(download) => globs(image, step, &download.exclude, findings),
            StepAction::Script(script) => local(image, step, &script.path, false, findings),
            StepAction::Component(component) => local(image, step, &component.path, false, findings),
            StepAction::Ansible(ansible) => local(image, step, &ansible.playbook, false, findings),
            _ => {}
        }
    }
}

/// The route below the image.
pub(super) fn own(route: &Route) -> Route {
    Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>())
}

fn globs(image: &ImageEntry, step: &Step, patterns: &[String], findings: &mut Vec<Diagnostic>) {
    for (index, pattern) in patterns.iter().enumerate() {
        if let Err(error) = lower::globs(std::slice::from_ref(pattern)) {
            let route = step.route.key("exclude").index(index);
            let message = format!("`{pattern}` is not a valid glob: {}", error.kind());
            findings.push(Diagnostic::error("wrong-value", image.node.place(&own(&route)), message).route(route));
        }
    }
}

/// Paths without expressions were checked before.
fn local(image: &ImageEntry, step: &Step, path: &std::path::Path, contents: bool, findings: &mut Vec<Diagnostic>) {
    let known = step_type(step.action.name());
    let Some(key) = known.and_then(|known| known.files.iter().find(|file| file.key == known.key)) else { return };
    let route = step.route.key(key.key);
    let Some(node) = image.node.at(&own(&route).0) else { return };
    if !node.as_text().is_some_and(crate::expression::Template::is_one) {
        return;
    }
    let shown = format!("{}{}", path.display(), if contents { "/" } else { "" });
    findings.extend(files::path(&shown, key, node, &route, std::path::Path::new("")));
}
