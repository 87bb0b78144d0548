//! Collects the resources of all files.

use super::document::{Document, DocumentKind};
use super::intrinsic::REFERENCE;
use super::resource::Resource;
use super::resource_kind::{ResourceKind, WRAPS, of_type};
use crate::input::{InputValue, Log, Reader};

/// All resources of all files.
#[derive(Debug, Default)]
pub(crate) struct Collection<'a> {
    pub(crate) resources: Vec<Resource<'a>>,
    /// Component documents, with the path of each file.
    pub(crate) documents: Vec<(std::path::PathBuf, Reader<'a>)>,
    /// CloudFormation's parameters.
    pub(crate) parameters: Vec<(String, Reader<'a>)>,
    /// Other resources of the stack.
    others: Vec<(String, Reader<'a>)>,
    /// The names of all resources of the stack.
    pub(crate) names: Vec<String>,
}

pub(crate) fn collect<'a>(documents: &'a [Document], log: &'a Log) -> Collection<'a> {
    let mut all = Collection::default();
    for document in documents {
        let root = Reader::new(&document.root, log);
        match document.kind {
            DocumentKind::Component => all.documents.push((document.path.clone(), root)),
            DocumentKind::CloudFormation => stack(&root, &mut all),
            DocumentKind::Resource(kind) => {
                let inner = WRAPS
                    .iter()
                    .find_map(|(key, _)| root.get(key).filter(Reader::is_map))
                    .filter(|_| root.value.get("name").is_none());
                if inner.is_some()
                    && let Some(id) = root.get("requestId")
                {
                    id.mark_used();
                }
                all.resources.push(Resource { kind, id: None, reader: inner.unwrap_or(root), whole: root });
            }
        }
    }
    all
}

fn stack<'a>(root: &Reader<'a>, all: &mut Collection<'a>) {
    for key in ["AWSTemplateFormatVersion", "Description", "Metadata", "Transform"] {
        if let Some(field) = root.get(key) {
            field.mark_used();
        }
    }
    for (key, why) in [
        ("Outputs", "a manifest has no outputs; `bake-report.json` lists the images"),
        ("Conditions", "CloudFormation conditions are not supported"),
        ("Mappings", "CloudFormation mappings are not supported"),
        ("Rules", "CloudFormation rules are not supported"),
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
                        field.drop("only relevant to the stack", "");
                    }
                }
                all.resources.push(Resource { kind, id: Some(id.to_owned()), reader: properties, whole: reader });
            }
            _ => all.others.push((kind.to_owned(), reader)),
        }
    }
}

impl<'a> Collection<'a> {
    /// The resources of a kind.
    pub(crate) fn of(&self, kind: ResourceKind) -> impl Iterator<Item = &Resource<'a>> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// The region where the images are built: that of the resources' ARNs, if it is the same for all.
    pub(crate) fn home(&self) -> Option<String> {
        let mut regions = Vec::new();
        self.resources.iter().for_each(|resource| arn_regions(resource.reader.value, &mut regions));
        regions.sort();
        regions.dedup();
        if let [region] = regions.as_slice() { Some(region.clone()) } else { None }
    }

    /// The pipeline of a recipe: the one that refers to it, or the only one.
    pub(crate) fn pipeline(&self, recipe: Option<&Resource<'a>>) -> Option<&Resource<'a>> {
        let recipes = self.of(ResourceKind::Recipe).count();
        let id = recipe.and_then(|recipe| recipe.id.as_deref());
        let refers =
            |pipeline: &&Resource| id.is_some_and(|id| target(pipeline, "imageRecipeArn").as_deref() == Some(id));
        self.of(ResourceKind::Pipeline)
            .find(refers)
            .or_else(|| self.of(ResourceKind::Pipeline).next().filter(|_| recipes <= 1))
    }

    /// The resource that a pipeline refers to, or the only one of its kind.
    pub(crate) fn linked(
        &self,
        kind: ResourceKind,
        pipeline: Option<&Resource<'a>>,
        field: &str,
    ) -> Option<&Resource<'a>> {
        let id = pipeline.and_then(|pipeline| target(pipeline, field));
        let refers = |resource: &&Resource| id.is_some() && resource.id == id;
        self.of(kind).find(refers).or_else(|| self.of(kind).next().filter(|_| self.of(kind).count() == 1))
    }

    /// Reports resources that are not supported, or that belong to no image.
    pub(crate) fn report_unused(&self, images: bool) {
        for resource in &self.resources {
            if resource.kind == ResourceKind::Other {
                resource.reader.drop(
                    "container recipes and workflows are not supported",
                    "Bake a container image with `source.docker`; the order of the stages is fixed.",
                );
            } else if !images && resource.kind != ResourceKind::Component {
                resource.reader.drop(
                    "there is no recipe or component document that it applies to",
                    "Import it together with its recipe.",
                );
            }
        }
        for (kind, reader) in &self.others {
            reader.drop(
                format!("`{kind}` is not part of an image"),
                "If the image or the bake needs it, keep it in the stack.",
            );
        }
    }
}

/// The regions of Image Builder's ARNs in a value.
fn arn_regions(value: &InputValue, into: &mut Vec<String>) {
    let start = value.template().map(|template| template.start().to_owned()).unwrap_or_default();
    let region = start.strip_prefix("arn:aws").and_then(|text| text.split_once(":imagebuilder:"));
    let region = region.and_then(|(_, tail)| tail.split_once(':')).map(|(region, _)| region);
    into.extend(region.filter(|region| region.contains('-') && !region.contains('{')).map(str::to_owned));
    value.members().iter().for_each(|member| arn_regions(&member.value, into));
    value.items().iter().for_each(|item| arn_regions(item, into));
}

/// The resource of the stack that a field refers to.
fn target(resource: &Resource, field: &str) -> Option<String> {
    resource.get(field)?.value.template()?.call_of(REFERENCE)
}
