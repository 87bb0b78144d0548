//! Playbooks of steps, as far as they would not do what a bake is for.

use std::path::Path;

use ami_bake_core::plan::{ImagePlan, Verb};

use crate::diagnostic::{Diagnostic, FileId, Sources};
use crate::yaml::{self, Node};

/// Warns of plays that would run on this computer instead of the machine.
pub(super) fn plan(plan: &ImagePlan, sources: &mut Sources, findings: &mut Vec<Diagnostic>) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let Verb::Ansible { playbook, .. } = &step.verb else { continue };
        // What isn't there has been told, and a playbook may hold tags that Ansible alone knows.
        let Some((file, text)) = read(playbook, sources) else { continue };
        let Some(tree) = yaml::parse(file, &text, &mut Vec::new()) else { continue };
        for play in tree.items() {
            let Some(connection) = play.get("connection").filter(|node| node.as_text() == Some("local")) else {
                continue;
            };
            let told = findings.iter().any(|told| told.span == Some(connection.span));
            if !told {
                findings.push(elsewhere(connection));
            }
        }
    }
}

/// The playbook among the sources, and its text.
fn read(path: &Path, sources: &mut Sources) -> Option<(FileId, String)> {
    let shown = path.display().to_string();
    let shown = shown.strip_prefix("./").unwrap_or(&shown);
    if let Some(file) = sources.find(shown) {
        return Some((file, sources.text(file).to_owned()));
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some((sources.add(shown, text.clone()), text))
}

fn elsewhere(connection: &Node) -> Diagnostic {
    Diagnostic::warning(
        "local-connection",
        connection.span,
        "this play runs on the computer that bakes, not on the machine",
    )
    .help("Take `connection: local` out, and write `hosts: all`: the step brings a connection to the machine.")
}
