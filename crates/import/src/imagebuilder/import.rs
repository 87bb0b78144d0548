//! Converts Image Builder documents to the draft of a manifest.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::collect::collect;
use super::document::{Document, DocumentKind};
use super::project::Project;
use super::resource::Resource;
use super::resource_kind::ResourceKind;
use super::scope::Parameters;
use super::{component, distribution, infrastructure, lifecycle, parent, pipeline, recipe};
use crate::comment;
use crate::context::Context;
use crate::input::{Log, Reader};
use crate::output::{Draft, name};
use crate::paths::Paths;
use crate::yaml::{Map, write};

/// Imports documents. The draft has no images when there is neither a recipe nor a component document.
pub(crate) fn import(documents: &[Document], sets: &[(String, String)], stem: &str, paths: &Paths, log: &Log) -> Draft {
    for document in documents {
        log.report_duplicates(&document.root);
    }
    let all = collect(documents, log);
    let parameters = Parameters::read(&all, sets);
    let typed = RefCell::new(BTreeSet::new());
    let mut draft = Draft { stem: stem.to_owned(), ..Draft::default() };
    for document in documents {
        let root = Reader::new(&document.root, log);
        draft.head.extend(comment::of(&root));
        if document.kind == DocumentKind::CloudFormation {
            draft.head.extend(root.get("Description").iter().flat_map(comment::text));
        }
    }
    let project =
        Project { all: &all, context: Context { scope: &parameters, paths, typed: &typed }, used: RefCell::default() };
    let mut body = Map::default();
    let mut images = Map::default();
    let recipes: Vec<&Resource> = all.of(ResourceKind::Recipe).collect();
    if recipes.is_empty()
        && let Some((image, key)) = alone(&project, stem, &mut draft, &mut body)
    {
        images.set(key, image);
    }
    for recipe in recipes {
        let mut image = recipe::read(recipe, &project, &mut draft);
        around(Some(recipe), &project, &mut draft, &mut body, &mut image);
        let key = recipe.name(&project.context).unwrap_or_else(|| {
            if let Some(unknown) = recipe.get("name") {
                unknown.changed("only the stack knows this name: the image is named after the file", "");
            }
            stem.to_owned()
        });
        let mut key = name(&key);
        while images.get(&key).is_some() {
            key.push_str("-2");
        }
        images.set_from(key.as_str(), image, &recipe.whole);
    }
    body.set_filled("images", images);
    draft.body = body;
    component::report_unused(&project);
    all.report_unused(draft.images() > 0);
    let text = write(&draft.body);
    (draft.vars, draft.secrets) = parameters.write(&text, &typed.borrow(), std::mem::take(&mut draft.vars));
    for document in documents {
        log.report_unused(&document.root);
    }
    draft
}

/// Imports component documents without a recipe: an image whose source must be set.
fn alone(project: &Project, stem: &str, draft: &mut Draft, body: &mut Map) -> Option<(Map, String)> {
    let mut image = Map::default();
    let documents = component::documents(project, draft);
    if documents.is_empty() {
        return None;
    }
    parent::required(&mut image, draft);
    component::steps(&documents, &mut image);
    around(None, project, draft, body, &mut image);
    Some((image, name(stem)))
}

/// Imports the resources that belong to a recipe: infrastructure and distribution.
fn around(recipe: Option<&Resource>, project: &Project, draft: &mut Draft, body: &mut Map, image: &mut Map) {
    let pipeline = project.all.pipeline(recipe);
    if let Some(pipeline) = pipeline {
        pipeline::read(pipeline, project, draft);
    }
    if let Some(infrastructure) =
        project.all.linked(ResourceKind::Infrastructure, pipeline, "infrastructureConfigurationArn")
    {
        infrastructure::read(infrastructure, project, image);
    }
    if let Some(distribution) = project.all.linked(ResourceKind::Distribution, pipeline, "distributionConfigurationArn")
    {
        distribution::read(distribution, project, body, image);
    } else if let Some(home) = project.all.home() {
        body.within("aws", |aws| aws.set("region", home));
    }
    for policy in project.all.of(ResourceKind::Lifecycle) {
        lifecycle::read(policy, project, image);
    }
}
