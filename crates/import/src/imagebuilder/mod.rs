//! Resources of EC2 Image Builder, as its API takes them or as CloudFormation does, and component documents.

mod collect;
mod component;
mod distribution;
mod infrastructure;
mod intrinsic;
mod kind;
mod lifecycle;
mod parent;
mod pipeline;
mod recipe;
mod resource;
mod scope;

use std::cell::RefCell;
use std::collections::BTreeSet;

pub(crate) use intrinsic::plain;
pub(crate) use kind::{Kind, kind};

use crate::comment;
use crate::context::Context;
use crate::input::Log;
use crate::output::{Draft, name};
use crate::paths::Paths;
use crate::read::{Document, Form};
use crate::yaml::{Map, Value, write};
use collect::{Collection, collect};
use resource::Resource;
use scope::Parameters;

/// What the images of a manifest are made of.
pub(crate) struct Making<'r, 'a> {
    pub(crate) all: &'r Collection<'a>,
    pub(crate) context: Context<'r>,
    /// Component resources whose document was used, or told.
    pub(crate) used: RefCell<Vec<String>>,
}

/// Imports resources; the draft has no images when there is neither a recipe nor a component document.
pub(crate) fn import(documents: &[Document], sets: &[(String, String)], stem: &str, paths: &Paths, log: &Log) -> Draft {
    let all = collect(documents, log);
    let parameters = Parameters::read(&all, sets);
    let typed = RefCell::new(BTreeSet::new());
    let mut draft = Draft { stem: stem.to_owned(), ..Draft::default() };
    for document in documents {
        let root = crate::input::Reader::root(&document.root, &document.name, log);
        draft.head.extend(comment::of(&root));
        if document.form == Form::CloudFormation {
            draft.head.extend(root.get("Description").iter().flat_map(comment::text));
        }
    }
    let making =
        Making { all: &all, context: Context { scope: &parameters, paths, typed: &typed }, used: RefCell::default() };
    let mut body = Map::default();
    let mut images = Map::default();
    let recipes: Vec<&Resource> = all.of(Kind::Recipe).collect();
    if recipes.is_empty()
        && let Some((image, key)) = alone(&making, stem, &mut draft, &mut body)
    {
        images.set(key, image);
    }
    for recipe in recipes {
        let mut image = recipe::read(recipe, &making, &mut draft);
        around(Some(recipe), &making, &mut draft, &mut body, &mut image);
        let key = recipe.name(&making.context).unwrap_or_else(|| stem.to_owned());
        let mut key = name(&key);
        while images.get(&key).is_some() {
            key.push_str("-2");
        }
        images.set(key.as_str(), image);
    }
    body.set_filled("images", images);
    draft.body = body;
    component::rest(&making);
    all.rest(draft.images() > 0);
    let text = write(&draft.body);
    (draft.vars, draft.secrets) = parameters.write(&text, &typed.borrow(), std::mem::take(&mut draft.vars));
    draft
}

/// Component documents or configurations without a recipe: an image that needs a source.
fn alone(making: &Making, stem: &str, draft: &mut Draft, body: &mut Map) -> Option<(Map, String)> {
    let mut image = Map::default();
    let documents = component::documents(making, draft);
    if documents.is_empty() {
        return None;
    }
    parent::given(&mut image, draft);
    component::steps(&documents, &mut image);
    around(None, making, draft, body, &mut image);
    Some((image, name(stem)))
}

/// What stands around a recipe: where it is built, and where it goes.
fn around(recipe: Option<&Resource>, making: &Making, draft: &mut Draft, body: &mut Map, image: &mut Map) {
    let pipeline = making.all.pipeline(recipe);
    if let Some(pipeline) = pipeline {
        pipeline::read(pipeline, making, draft);
    }
    if let Some(infrastructure) = making.all.linked(Kind::Infrastructure, pipeline, "infrastructureConfigurationArn") {
        infrastructure::read(infrastructure, making, image);
    }
    if let Some(distribution) = making.all.linked(Kind::Distribution, pipeline, "distributionConfigurationArn") {
        distribution::read(distribution, making, body, image);
    } else if let Some(home) = making.all.home() {
        body.within("aws", |aws| aws.set("region", home));
    }
    for policy in making.all.of(Kind::Lifecycle) {
        lifecycle::read(policy, making, image);
    }
}

/// A map in a list's entry.
pub(crate) fn entry(pairs: &[(&str, Value)]) -> Map {
    let mut map = Map::default();
    for (key, value) in pairs {
        map.set(*key, value.clone());
    }
    map
}
