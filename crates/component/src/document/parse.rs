//! A tree to a document; everything that is wrong with it, with its place.

use ami_bake_manifest::diagnostic::{Diagnostic, FileId, Sources};
use ami_bake_manifest::tree::{self, Kind, Node};

use super::{Document, Section, Step, keys, name, step, text, variables, wrong};

/// Keys of a document.
const KEYS: [&str; 6] = ["name", "description", "schemaVersion", "parameters", "constants", "phases"];

/// Reads a document. None when there is nothing to work with; what is wrong is added to `findings`.
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
        findings.push(wrong(root.span, format!("a component document is a map, not {}", root.describe())));
        return None;
    }
    keys(&root, &KEYS, "a component document", findings);
    version(&root, findings);
    let variables = variables::read(&root, findings);
    let phases = phases(&root, sources, findings)?;
    Some(Document { variables, phases })
}

/// A reference without quotes is a map in a map to YAML, which nobody means.
fn unquoted(finding: &mut Diagnostic, sources: &Sources) {
    let Some(span) = finding.span.filter(|_| finding.code == "key") else { return };
    let text = sources.text(span.file);
    let (before, behind) = (text.get(..span.start as usize), text.get(span.start as usize..));
    let (Some(before), Some(behind)) = (before, behind) else { return };
    let Some(end) = behind.find("}}").filter(|_| before.ends_with('{') && behind.starts_with('{')) else { return };
    let reference = format!("{{{}}}}}", &behind[..end]);
    finding.message = format!("`{reference}` is no text to YAML without quotes");
    finding.help = Some(format!("Write `\"{reference}\"`, with all that stands around it."));
}

/// `1.0`, as a number or as text; the user guide shows `1` too.
fn version(root: &Node, findings: &mut Vec<Diagnostic>) {
    match root.get("schemaVersion") {
        None => findings.push(
            Diagnostic::error("missing-key", root.span, "the component document has no `schemaVersion`")
                .help("Write `schemaVersion: 1.0`."),
        ),
        Some(node) if matches!(text(node), Some("1.0" | "1")) => {}
        Some(node) => findings.push(
            wrong(node.span, "component documents have the schema version 1.0 alone".to_owned())
                .help("Write `schemaVersion: 1.0`."),
        ),
    }
}

fn phases(root: &Node, sources: &Sources, findings: &mut Vec<Diagnostic>) -> Option<Vec<Section>> {
    let Some(list) = root.get("phases") else {
        findings.push(
            Diagnostic::error("missing-key", root.span, "the component document has no `phases`")
                .help("Write a list with at least one of the phases `build`, `validate` and `test`."),
        );
        return None;
    };
    if !matches!(list.kind, Kind::List(_)) {
        findings.push(
            wrong(list.span, format!("`phases` is a list, not {}", list.describe()))
                .help("Begin each phase with `- name: build`."),
        );
        return None;
    }
    if list.items().is_empty() {
        findings.push(
            wrong(list.span, "the document has no phases".to_owned())
                .help("It has at least one of `build`, `validate` and `test`."),
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
            findings.push(wrong(span, format!("the document has a second phase `{name}`")));
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
                let message = format!("the phase `{name}` has a second step `{}`", step.name);
                findings.push(
                    Diagnostic::error("same-name", step.span, message)
                        .related(first.span, "here is the first")
                        .help("Names of steps are unique within a phase: references use them."),
                );
            }
            if let Some(first) =
                read.iter().find(|other| step.loop_name().is_some() && other.loop_name() == step.loop_name())
            {
                let message =
                    format!("the phase `{name}` has a second loop `{}`", step.loop_name().unwrap_or_default());
                findings.push(
                    Diagnostic::error("same-name", step.span, message)
                        .related(first.span, "here is the first")
                        .help("Names of loops are unique within a phase."),
                );
            }
            read.push(step);
        }
        phases.push(Section { name, span, steps: read });
    }
    Some(phases)
}
