//! All resources of all files.

use super::kind::{WRAPS, of_type};
use super::{Kind, Resource};
use crate::input::{Log, Reader};
use crate::json::Node;
use crate::read::{Document, Form};

/// All resources of all files.
#[derive(Debug, Default)]
pub(crate) struct Collection<'a> {
    pub(crate) resources: Vec<Resource<'a>>,
    /// Component documents: the file's name, and the document.
    pub(crate) documents: Vec<(std::path::PathBuf, Reader<'a>)>,
    /// CloudFormation's parameters.
    pub(crate) parameters: Vec<(String, Reader<'a>)>,
    /// Resources of the stack that are none of Image Builder's.
    others: Vec<(String, Reader<'a>)>,
    /// The names of all resources of the stack.
    pub(crate) names: Vec<String>,
}

pub(crate) fn collect<'a>(documents: &'a [Document], log: &'a Log) -> Collection<'a> {
    let mut all = Collection::default();
    for document in documents {
        let root = Reader::root(&document.root, &document.name, log);
        match document.form {
            Form::Component => all.documents.push((document.path.clone(), root)),
            Form::CloudFormation => stack(&root, &mut all),
            Form::Resource(kind) => {
                let inner = WRAPS
                    .iter()
                    .find_map(|(key, _)| root.get(key).filter(Reader::is_map))
                    .filter(|_| root.node.get("name").is_none());
                if inner.is_some()
                    && let Some(id) = root.get("requestId")
                {
                    id.tick();
                }
                all.resources.push(Resource { kind, id: None, reader: inner.unwrap_or(root) });
            }
            Form::Packer | Form::Variables => {}
        }
    }
    all
}

fn stack<'a>(root: &Reader<'a>, all: &mut Collection<'a>) {
    for key in ["AWSTemplateFormatVersion", "Description", "Metadata", "Transform"] {
        if let Some(field) = root.get(key) {
            field.tick();
        }
    }
    for (key, why) in [
        ("Outputs", "a manifest has no outputs; `bake-report.json` says what was made"),
        ("Conditions", "conditions of a stack can't be evaluated"),
        ("Mappings", "mappings of a stack can't be evaluated"),
        ("Rules", "rules of a stack can't be evaluated"),
    ] {
        if let Some(field) = root.get(key) {
            field.drop(why, "");
        }
    }
    for (name, reader) in root.get("Parameters").iter().flat_map(Reader::entries) {
        all.parameters.push((name.to_owned(), reader));
    }
    for (id, reader) in root.get("Resources").iter().flat_map(Reader::entries) {
        let kind = reader.get("Type").and_then(|kind| kind.text()).unwrap_or_default();
        all.names.push(id.to_owned());
        match (of_type(kind), reader.get("Properties")) {
            (Some(kind), Some(properties)) => {
                for key in ["DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"] {
                    if let Some(field) = reader.get(key) {
                        field.drop("it is a matter of the stack", "");
                    }
                }
                all.resources.push(Resource { kind, id: Some(id.to_owned()), reader: properties });
            }
            _ => all.others.push((kind.to_owned(), reader)),
        }
    }
}

impl<'a> Collection<'a> {
    /// The resources of a kind.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &Resource<'a>> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// The region that the resources' ARNs name, where it is one alone: there the images are built.
    pub(crate) fn home(&self) -> Option<String> {
        let mut regions = Vec::new();
        self.resources.iter().for_each(|resource| arns(resource.reader.node, &mut regions));
        regions.sort();
        regions.dedup();
        if let [region] = regions.as_slice() { Some(region.clone()) } else { None }
    }

    /// The pipeline of a recipe: the one that refers to it, or the only one.
    pub(crate) fn pipeline(&self, recipe: Option<&Resource<'a>>) -> Option<&Resource<'a>> {
        let recipes = self.of(Kind::Recipe).count();
        let id = recipe.and_then(|recipe| recipe.id.as_deref());
        let refers =
            |pipeline: &&Resource| id.is_some_and(|id| target(pipeline, "imageRecipeArn").as_deref() == Some(id));
        self.of(Kind::Pipeline).find(refers).or_else(|| self.of(Kind::Pipeline).next().filter(|_| recipes <= 1))
    }

    /// The configuration that a pipeline refers to, or the only one.
    pub(crate) fn linked(&self, kind: Kind, pipeline: Option<&Resource<'a>>, field: &str) -> Option<&Resource<'a>> {
        let id = pipeline.and_then(|pipeline| target(pipeline, field));
        let refers = |resource: &&Resource| id.is_some() && resource.id == id;
        self.of(kind).find(refers).or_else(|| self.of(kind).next().filter(|_| self.of(kind).count() == 1))
    }

    /// Tells of resources that have no counterpart, or no image that they belong to.
    pub(crate) fn rest(&self, images: bool) {
        for resource in &self.resources {
            if resource.kind == Kind::Other {
                resource.reader.drop(
                    "container recipes and workflows have no counterpart",
                    "Make a container with `source.docker`; the order of the stages is the bake's own.",
                );
            } else if !images && resource.kind != Kind::Component {
                resource.reader.drop(
                    "it says how an image is made or where it goes, and neither a recipe nor a document says what it is",
                    "Import it together with its recipe.",
                );
            }
        }
        for (kind, reader) in &self.others {
            reader.drop(
                format!("`{kind}` is no part of an image"),
                "Keep it in the stack where the image or the bake needs it.",
            );
        }
    }
}

/// The regions of Image Builder's own ARNs in a value.
fn arns(node: &Node, into: &mut Vec<String>) {
    use crate::json::Kind;
    match &node.kind {
        Kind::Map(members) => members.iter().for_each(|member| arns(&member.value, into)),
        Kind::List(items) => items.iter().for_each(|item| arns(item, into)),
        Kind::Text(text) => {
            let region = text.strip_prefix("arn:aws").and_then(|text| text.split_once(":imagebuilder:"));
            let region = region.and_then(|(_, tail)| tail.split(':').next());
            into.extend(region.filter(|region| region.contains('-') && !region.contains('{')).map(str::to_owned));
        }
        _ => {}
    }
}

/// The resource of the stack that a field refers to.
fn target(resource: &Resource, field: &str) -> Option<String> {
    let text = resource.get(field).map(|field| field.node).and_then(Node::scalar)?;
    text.strip_prefix("{{ref `")?.strip_suffix("`}}").map(str::to_owned)
}
