//! Which kind of file it is, and its tree.

use std::path::{Path, PathBuf};

use ami_bake_manifest::diagnostic::{Diagnostic, Span};

use crate::hcl;
use crate::imagebuilder;
use crate::json::{self, Kind, Member, Mistake, Node};
use crate::request::{Refused, Source};

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) root: Node,
    pub(crate) form: Form,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Packer,
    CloudFormation,
    /// An AWSTOE document.
    Component,
    /// A resource of Image Builder, as its API takes and gives it.
    Resource(imagebuilder::Kind),
    Variables,
}

/// Whether a file is something to import rather than a manifest.
pub fn is_importable(path: &Path, text: &str) -> bool {
    if hcl::is_template(path) {
        return true;
    }
    let json = path.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{');
    if json {
        return match json::parse(text) {
            Ok(root) => form(&root).is_some(),
            // A template with a mistake is shown as one; a manifest may be JSON too.
            Err(_) => ["\"builders\"", "\"provisioners\"", "\"parentImage\""].iter().any(|word| text.contains(word)),
        };
    }
    // In YAML: what no manifest has.
    let starts = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    !starts(&["format:"]) && (starts(&["phases:"]) || text.contains("AWS::ImageBuilder::"))
}

/// Reads a file to import; what is wrong with it is told.
pub(crate) fn document(name: &str, source: &Source, refused: &mut Refused) -> Option<Document> {
    if source.path.to_string_lossy().ends_with(".hcl") {
        let text = format!("{name} is HCL, which is imported without other files than its own");
        let help = "Name the template's own files alone: `*.pkr.hcl` and `*.pkrvars.hcl`.";
        refused.findings.push(Diagnostic::error("unknown-form", None, text).help(help));
        return None;
    }
    let root = tree(name, source, refused)?;
    let root = imagebuilder::plain(root);
    let Some(form) = form(&root) else {
        let text = format!("{name} is nothing that can be imported");
        let help = "Packer's templates and Image Builder's recipes, configurations, pipelines and components can, also in CloudFormation.";
        refused.findings.push(Diagnostic::error("unknown-form", None, text).help(help));
        return None;
    };
    Some(Document { name: name.to_owned(), path: source.path.clone(), root, form })
}

/// Reads a file of variables.
pub(crate) fn variables(name: &str, source: &Source, refused: &mut Refused) -> Option<Document> {
    let root = tree(name, source, refused)?;
    if !matches!(root.kind, Kind::Map(_)) {
        let text = format!("{name} is no file of variables");
        let help = "It is a map of names and values.";
        refused.findings.push(Diagnostic::error("unknown-form", None, text).help(help));
        return None;
    }
    Some(Document { name: name.to_owned(), path: source.path.clone(), root, form: Form::Variables })
}

/// A component document that stands in a field.
pub(crate) fn document_text(text: &str) -> Result<Node, serde_yaml::Error> {
    serde_yaml::from_str::<serde_yaml::Value>(text).map(|value| yaml(&value, 0))
}

fn form(root: &Node) -> Option<Form> {
    let list = |key: &str| matches!(root.get(key).map(|node| &node.kind), Some(Kind::List(_)));
    if list("builders") || list("provisioners") {
        return Some(Form::Packer);
    }
    if matches!(root.get("Resources").map(|node| &node.kind), Some(Kind::Map(_))) {
        return Some(Form::CloudFormation);
    }
    if list("phases") {
        return Some(Form::Component);
    }
    imagebuilder::kind(root).map(Form::Resource)
}

fn tree(name: &str, source: &Source, refused: &mut Refused) -> Option<Node> {
    let text = &source.text;
    let json = source.path.extension().is_some_and(|extension| extension == "json")
        || text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with(['{', '[']);
    let mistake = if json {
        match json::parse(text) {
            Ok(node) => return Some(node),
            Err(mistake) => mistake,
        }
    } else {
        match serde_yaml::from_str::<serde_yaml::Value>(text) {
            Ok(value) => return Some(yaml(&value, 0)),
            Err(error) => {
                let at = error.location().map_or(0, |location| location.index().min(text.len()));
                let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                Mistake { message: error.to_string(), help: "Is the file YAML?", span: at..at }
            }
        }
    };
    let file = refused.sources.add(name, text.as_str());
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span { file, start: offset(mistake.span.start), end: offset(mistake.span.end) };
    refused.findings.push(Diagnostic::error("syntax", span, mistake.message).help(mistake.help));
    None
}

/// A YAML value as a tree; CloudFormation's short forms become its long ones.
fn yaml(value: &serde_yaml::Value, depth: usize) -> Node {
    use serde_yaml::Value;
    // serde_yaml itself ends at 128 levels.
    if depth > 200 {
        return Node::bare(Kind::Null);
    }
    Node::bare(match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(*value),
        Value::Number(number) => Kind::Number(number.to_string()),
        Value::String(text) => Kind::Text(text.clone()),
        Value::Sequence(items) => Kind::List(items.iter().map(|item| yaml(item, depth + 1)).collect()),
        Value::Mapping(map) => {
            let member = |(key, value): (&Value, &Value)| {
                let key = yaml(key, depth + 1).scalar().unwrap_or_default().to_owned();
                Member { key, value: yaml(value, depth + 1) }
            };
            Kind::Map(map.iter().map(member).collect())
        }
        Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let key = if matches!(tag, "Ref" | "Condition") { tag.to_owned() } else { format!("Fn::{tag}") };
            Kind::Map(vec![Member { key, value: yaml(&tagged.value, depth + 1) }])
        }
    })
}
