//! Parses a document, and reports all problems with their locations.

use ami_bake_manifest::diagnostic::{Diagnostic, FileId, Sources};
use ami_bake_manifest::tree::{self, Kind, Node};

use super::values::{keys, name, text, wrong};
use super::{Document, Section, Step, step, variables};

/// Keys of a document.
const KEYS: [&str; 6] = ["name", "description", "schemaVersion", "parameters", "constants", "phases"];

/// Parses a document. Problems are added to `findings`; `None` when there is nothing usable.
pub(crate) fn parse(file: FileId, sources: &Sources, findings: &mut Vec<Diagnostic>) -> Option<Document> {
    let before = findings.len();
    let root = tree::parse(file, sources.text(file), findings);
    findings.iter_mut().skip(before).for_each(|finding| unquoted(finding, sources));
    let Some(root) = root else {
        if findings.len() == before {
            let name = sources.name(file);
            findings.push(Diagnostic::error("empty", None, format!("the component document {name} is empty")));
        }
        return None;
    };
    if !matches!(root.kind, Kind::Map(_)) {
        findings.push(wrong(root.span, format!("a component document has to be a map, not {}", root.describe())));
        return None;
    }
    keys(&root, &KEYS, "a component document", findings);
    version(&root, findings);
    let variables = variables::read(&root, findings);
    let phases = phases(&root, sources, findings)?;
    Some(Document { variables, phases })
}

/// Rewords the finding about an unquoted reference, which YAML reads as nested maps.
fn unquoted(finding: &mut Diagnostic, sources: &Sources) {
    let Some(span) = finding.span.filter(|_| finding.code == "key") else { return };
    let text = sources.text(span.file);
    let (before, behind) = (text.get(..span.start as usize), text.get(span.start as usize..));
    let (Some(before), Some(behind)) = (before, behind) else { return };
    let Some(end) = behind.find("}}").filter(|_| before.ends_with('{') && behind.starts_with('{')) else { return };
    let reference = format!("{{{}}}}}", &behind[..end]);
    finding.message = format!("`{reference}` has to be quoted: YAML reads it as a map");
    finding.help = Some(format!("Write `\"{reference}\"`, with the text around it inside the quotes."));
}

/// Checks the schema version: `1.0`, as a number or as text; the user guide also shows `1`.
fn version(root: &Node, findings: &mut Vec<Diagnostic>) {
    match root.get("schemaVersion") {
        None => findings.push(
            Diagnostic::error("missing-key", root.span, "the component document has no `schemaVersion`")
                .help("Write `schemaVersion: 1.0`."),
        ),
        Some(node) if matches!(text(node), Some("1.0" | "1")) => {}
        Some(node) => findings.push(
            wrong(node.span, "only schema version 1.0 is supported".to_owned()).help("Write `schemaVersion: 1.0`."),
        ),
    }
}

fn phases(root: &Node, sources: &Sources, findings: &mut Vec<Diagnostic>) -> Option<Vec<Section>> {
    let Some(list) = root.get("phases") else {
        findings.push(
            Diagnostic::error("missing-key", root.span, "the component document has no `phases`")
                .help("Add a list with at least one of the phases `build`, `validate` and `test`."),
        );
        return None;
    };
    if !matches!(list.kind, Kind::List(_)) {
        findings.push(
            wrong(list.span, format!("`phases` has to be a list, not {}", list.describe()))
                .help("Start each phase with `- name: build`."),
        );
        return None;
    }
    if list.items().is_empty() {
        findings.push(
            wrong(list.span, "the document has no phases".to_owned())
                .help("Add at least one of `build`, `validate` and `test`."),
        );
    }
    let mut phases: Vec<Section> = Vec::new();
    for node in list.items() {
        keys(node, &["name", "steps"], "a phase", findings);
        let Some((name, span)) = node.get("name").and_then(|node| Some((name(node)?.to_owned(), node.span))) else {
            findings.push(Diagnostic::error("missing-key", node.span, "the phase has no `name`"));
            continue;
        };
        if phases.iter().any(|phase| phase.name == name) {
            findings.push(wrong(span, format!("duplicate phase `{name}`")));
            continue;
        }
        let steps = node.get("steps").map(Node::items).unwrap_or_default();
        if node.get("steps").is_none_or(|steps| !matches!(steps.kind, Kind::List(_)) && !steps.is_null()) {
            let message = format!("the phase `{name}` has no list of `steps`");
            findings.push(Diagnostic::error("missing-key", span, message));
        }
        let mut read: Vec<Step> = Vec::new();
        for node in steps {
            let Some(step) = step::read(node, sources, findings) else { continue };
            if let Some(first) = read.iter().find(|other| other.name == step.name) {
                let message = format!("duplicate step `{}` in the phase `{name}`", step.name);
                findings.push(
                    Diagnostic::error("same-name", step.span, message)
                        .related(first.span, "here is the first")
                        .help("Step names have to be unique within a phase: references use them."),
                );
            }
            if let Some(first) =
                read.iter().find(|other| step.loop_name().is_some() && other.loop_name() == step.loop_name())
            {
                let message =
                    format!("duplicate loop `{}` in the phase `{name}`", step.loop_name().unwrap_or_default());
                findings.push(
                    Diagnostic::error("same-name", step.span, message)
                        .related(first.span, "here is the first")
                        .help("Loop names have to be unique within a phase."),
                );
            }
            read.push(step);
        }
        phases.push(Section { name, span, steps: read });
    }
    Some(phases)
}
