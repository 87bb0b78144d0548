//! Detects the format of an input file and parses it.

use std::path::Path;
use std::rc::Rc;

use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use ami_bake_manifest::tree::{Kind, Node, parse_json, parse_with_tags};

use crate::comment;
use crate::hcl;
use crate::imagebuilder::{self, DocumentKind};
use crate::input::{InputValue, Location, Log, Refused, Source, SourceComment};
use crate::packer::MOST_BUILDERS;

/// A parsed input file.
#[derive(Debug)]
pub(crate) enum Document {
    /// A Packer template in JSON.
    Packer(InputValue),
    ImageBuilder(imagebuilder::Document),
}

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Packer,
    ImageBuilder(DocumentKind),
}

/// Whether a file can be imported, rather than being a manifest.
pub fn is_importable(path: &Path, text: &str) -> bool {
    if hcl::is_template(path) {
        return true;
    }
    if is_json(path, text) {
        let file = Sources::default().add("", text);
        return match parse_json(file, text, &mut Vec::new()) {
            Some(root) => form(&root).is_some(),
            // A template with a syntax error is still a template; a manifest may be JSON, too.
            None => ["\"builders\"", "\"provisioners\"", "\"parentImage\""].iter().any(|word| text.contains(word)),
        };
    }
    // For YAML: keys that no manifest has.
    let starts = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    !starts(&["format:"]) && (starts(&["phases:"]) || text.contains("AWS::ImageBuilder::"))
}

/// Parses a file to import; errors are added to `refused`.
pub(crate) fn document(source: &Source, log: &Log, refused: &mut Refused) -> Option<Document> {
    let name = source.path.display().to_string();
    if source.path.extension().is_some_and(|extension| extension == "hcl") {
        let text = format!("{name} can't be imported together with other kinds of files");
        let help = "Import only the template's own files: `*.pkr.hcl` and `*.pkrvars.hcl`.";
        refused.findings.push(Diagnostic::error("unknown-form", None, text).help(help));
        return None;
    }
    let root = tree(source, false, refused)?;
    let location = Location::new(&Rc::from(name.as_str()), "");
    match form(&root) {
        Some(Form::Packer) => {
            if let Some(builders) = root.entry("builders").filter(|entry| entry.value.items().len() > MOST_BUILDERS) {
                let count = builders.value.items().len();
                let text = format!("the template has {count} builders; at most {MOST_BUILDERS} are imported");
                let finding = Diagnostic::error("too-large", builders.key_span, text).help("Split the template.");
                refused.findings.push(finding);
                return None;
            }
            Some(Document::Packer(InputValue::of_tree(&root, location)))
        }
        Some(Form::ImageBuilder(kind)) => {
            // A component document stays a file of its own, with its comments.
            if kind != DocumentKind::Component && !is_json(&source.path, &source.text) {
                for (span, lines) in comment::of_yaml(&source.text, &root) {
                    log.comment(SourceComment { file: Rc::clone(&location.file), span, lines, may_move: true });
                }
            }
            let root = imagebuilder::read_document(&root, location);
            Some(Document::ImageBuilder(imagebuilder::Document { path: source.path.clone(), root, kind }))
        }
        None => {
            let text = format!("{name} is not a file that can be imported");
            let help = "Import Packer templates, or recipes, configurations, pipelines and components of Image Builder, also in CloudFormation.";
            refused.findings.push(Diagnostic::error("unknown-form", None, text).help(help));
            None
        }
    }
}

/// Parses a variable file.
pub(crate) fn variables(source: &Source, refused: &mut Refused) -> Option<InputValue> {
    let name = source.path.display().to_string();
    let root = tree(source, true, refused)?;
    if !matches!(root.kind, Kind::Map(_)) {
        let text = format!("{name} is not a variable file");
        let help = "Write a map of names and values.";
        refused.findings.push(Diagnostic::error("unknown-form", root.span, text).help(help));
        return None;
    }
    Some(InputValue::of_tree(&root, Location::new(&Rc::from(name), "")))
}

fn form(root: &Node) -> Option<Form> {
    let list = |key: &str| root.get(key).is_some_and(|node| matches!(node.kind, Kind::List(_)));
    if list("builders") || list("provisioners") {
        return Some(Form::Packer);
    }
    let kind = if root.get("Resources").is_some_and(|node| matches!(node.kind, Kind::Map(_))) {
        DocumentKind::CloudFormation
    } else if list("phases") {
        DocumentKind::Component
    } else {
        DocumentKind::Resource(imagebuilder::kind(root)?)
    };
    Some(Form::ImageBuilder(kind))
}

fn is_json(path: &Path, text: &str) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        || text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with(['{', '['])
}

/// Maximum memory of a document's paths, in bytes.
const WEIGHT: usize = 64 << 20;

/// Parses a file; the content of a private one is never shown.
fn tree(source: &Source, private: bool, refused: &mut Refused) -> Option<Node> {
    let (name, text) = (source.path.display().to_string(), source.text.as_str());
    let file = if private {
        refused.sources.add_private(name.as_str(), text)
    } else {
        refused.sources.add(name.as_str(), text)
    };
    let before = refused.findings.len();
    let parse = if is_json(&source.path, text) { parse_json } else { parse_with_tags };
    let root = parse(file, text, &mut refused.findings);
    if root.is_none() && refused.findings.len() == before {
        refused.findings.push(Diagnostic::error("empty", None, format!("{name} is empty")));
    }
    if let Some(root) = root.as_ref().filter(|root| InputValue::weight(root, 0) > WEIGHT) {
        let finding = Diagnostic::error("too-large", root.span, format!("{name} has too many values"));
        refused.findings.push(finding.help("Split it into several files."));
    }
    root.filter(|_| refused.findings.len() == before)
}
