//! Components: their documents become steps.

use std::path::Path;

use super::resource::{get, left};
use super::{Kind, Making, Resource};
use crate::input::Reader;
use crate::json::Node;
use crate::output::{Draft, name};
use crate::yaml::{Map, Value};

/// A document that steps run.
pub(super) struct Used {
    path: String,
    phases: Vec<String>,
    with: Map,
}

/// All documents that were given, in order: those of files, and those that stand inside of resources.
pub(super) fn documents(making: &Making, draft: &mut Draft) -> Vec<Used> {
    let mut all: Vec<Used> = making.all.documents.iter().map(|(path, root)| of_file(path, root, making)).collect();
    for resource in making.all.of(Kind::Component) {
        all.extend(of_resource(resource, making, draft));
    }
    all
}

fn of_file(path: &Path, root: &Reader, making: &Making) -> Used {
    // The document itself is used as it is.
    root.tick();
    let found = making.context.paths.find(&path.to_string_lossy());
    Used { path: found.text, phases: phases(root.node), with: Map::default() }
}

fn phases(root: &Node) -> Vec<String> {
    let Some(list) = root.get("phases") else { return Vec::new() };
    let items = match &list.kind {
        crate::json::Kind::List(items) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(|phase| phase.get("name")?.scalar().map(str::to_owned)).collect()
}

/// The document of a resource, written beside the manifest.
fn of_resource(resource: &Resource, making: &Making, draft: &mut Draft) -> Option<Used> {
    let own = resource.name(&making.context).unwrap_or_else(|| "component".to_owned());
    making.used.borrow_mut().push(key(resource));
    common(resource);
    if let Some(platform) = resource.get("platform")
        && platform.text() != Some("Linux")
    {
        resource.reader.drop("only components for Linux can run", "");
        return None;
    }
    if let Some(uri) = resource.get("uri") {
        uri.drop(
            "the document lies elsewhere",
            format!("Copy it beside the manifest, and import again with it: `aws s3 cp … {}.yml`.", name(&own)),
        );
        return None;
    }
    let data = resource.get("data")?;
    let Some(text) = data.text() else {
        data.drop("it is no text", "Write the document into a file, and import again with it.");
        return None;
    };
    let Ok(root) = crate::read::document_text(text) else {
        data.drop("it is no component document", "Write the document into a file, and import again with it.");
        return None;
    };
    if crate::credential::holds(text) {
        data.drop("it holds a credential, which is never copied", "Take it out, and import again.");
        return None;
    }
    let path = format!("components/{}.yml", name(&own));
    draft.files.push((path.clone(), if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }));
    Some(Used { path, phases: phases(&root), with: Map::default() })
}

/// The documents of a recipe's components.
pub(super) fn of_recipe(recipe: &Resource, making: &Making, draft: &mut Draft) -> Vec<Used> {
    let listed: Vec<Reader> = recipe.get("components").iter().flat_map(Reader::items).collect();
    let mut found: Vec<(usize, Used)> = Vec::new();
    let mut left_files: Vec<usize> = (0..making.all.documents.len()).collect();
    let mut unknown: Vec<(usize, &Reader)> = Vec::new();
    let of_document = |index: usize, component: &Reader| {
        let (path, root) = &making.all.documents[index];
        Used { with: parameters(component, making), ..of_file(path, root, making) }
    };
    for (order, component) in listed.iter().enumerate() {
        let Some(arn) = get(component, "componentArn") else {
            component.drop("it names no component", "");
            continue;
        };
        let text = arn.node.scalar().unwrap_or_default().to_owned();
        let resource = making.all.of(Kind::Component).find(|resource| refers(&text, resource, making));
        let named = resource.and_then(|resource| resource.name(&making.context)).unwrap_or_default().to_lowercase();
        let own = text.split_once(":component/").and_then(|(_, tail)| tail.split('/').next()).unwrap_or(&named);
        let uri = resource.and_then(|resource| resource.get("uri"));
        let end = uri.as_ref().and_then(|uri| uri.node.scalar()?.rsplit('/').next()).unwrap_or_default();
        let file = left_files.iter().position(|index| {
            let document = &making.all.documents[*index];
            is_named(document, own) || document.0.file_name().is_some_and(|name| name == end)
        });
        if let Some(at) = file {
            arn.tick();
            if let (Some(resource), Some(uri)) = (resource, uri) {
                making.used.borrow_mut().push(key(resource));
                common(resource);
                uri.tick();
            }
            found.push((order, of_document(left_files.remove(at), component)));
        } else if let Some(resource) = resource {
            arn.tick();
            if let Some(document) = of_resource(resource, making, draft) {
                found.push((order, Used { with: parameters(component, making), ..document }));
            }
        } else {
            unknown.push((order, component));
        }
    }
    // Names that say nothing: as many documents as components are taken in their order.
    let matches = !left_files.is_empty() && unknown.len() <= left_files.len();
    for (order, component) in unknown {
        let Some(arn) = get(component, "componentArn") else { continue };
        if matches && !left_files.is_empty() {
            let index = left_files.remove(0);
            let document = of_document(index, component);
            arn.tick();
            arn.changed(
                format!("{} was taken for it, by the order of the files", document.path),
                "Look whether it is the one.",
            );
            found.push((order, document));
        } else {
            let text = arn.node.scalar().unwrap_or_default();
            let why = if text.contains(":aws:component/") {
                "it is one of Amazon's own components"
            } else {
                "its document is not among the files"
            };
            component.drop(why, "Get it with `aws imagebuilder get-component --component-build-version-arn …`, write its `data` into a file, and import again with it.");
        }
    }
    // They run in the order of the recipe.
    found.sort_by_key(|(order, _)| *order);
    let mut used: Vec<Used> = found.into_iter().map(|(_, used)| used).collect();
    // Documents beyond the list were given to be used.
    for index in left_files {
        let (path, root) = &making.all.documents[index];
        used.push(of_file(path, root, making));
    }
    used
}

fn refers(text: &str, resource: &Resource, making: &Making) -> bool {
    let by_id = resource.id.as_deref().is_some_and(|id| text == format!("{{{{ref `{id}`}}}}"));
    let named = resource
        .name(&making.context)
        .is_some_and(|name| text.to_lowercase().contains(&format!(":component/{}/", name.to_lowercase())));
    by_id || named
}

fn is_named(document: &(std::path::PathBuf, Reader), own: &str) -> bool {
    if own.is_empty() {
        return false;
    }
    let stem = document.0.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let inside = document.1.node.get("name").and_then(Node::scalar).unwrap_or_default().to_lowercase();
    stem.split('.').next() == Some(own) || stem == own || inside == own
}

fn parameters(component: &Reader, making: &Making) -> Map {
    let mut with = Map::default();
    for parameter in get(component, "parameters").iter().flat_map(Reader::items) {
        let Some(name) = get(&parameter, "name").and_then(|name| name.text()) else { continue };
        let Some(value) = get(&parameter, "value") else { continue };
        let texts = making.context.texts(&value);
        let words: Vec<String> = texts
            .into_iter()
            .filter_map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        if crate::credential::named(name) && words.iter().any(|word| !word.contains("${{")) {
            value.drop(
                "the value of a credential is never copied",
                "Let the document read it from its environment or a parameter store.",
            );
            continue;
        }
        with.set_from(name, words.join(","), &value);
    }
    with
}

/// Adds a step for each stage that a document has phases for.
pub(super) fn steps(documents: &[Used], image: &mut Map) {
    for stage in ["build", "validate", "test"] {
        let mut steps = Vec::new();
        for document in documents.iter().filter(|document| document.phases.iter().any(|phase| phase == stage)) {
            let mut step = Map::default();
            step.set("component", document.path.as_str());
            step.set_filled("with", document.with.clone());
            steps.push(Value::from(step));
        }
        image.set_filled(stage, steps);
    }
}

/// Tells of component resources that no recipe uses.
pub(super) fn rest(making: &Making) {
    for resource in making.all.of(Kind::Component) {
        if let Some(name) = resource.get("name") {
            name.tick();
        }
        if making.used.borrow().contains(&key(resource)) {
            continue;
        }
        common(resource);
        if let Some(platform) = resource.get("platform") {
            platform.tick();
        }
        let answered = making.all.documents.len() >= making.all.of(Kind::Component).count();
        if let Some(uri) = resource.get("uri").filter(|_| answered) {
            uri.changed("a document among the files was taken for it", "Look whether it is the one.");
            uri.tick();
        } else if let Some(uri) = resource.get("uri") {
            uri.drop(
                "the document lies elsewhere, and no recipe of the files names the component",
                "Copy the document beside the manifest, and import again with it.",
            );
        }
        if let Some(data) = resource.get("data") {
            data.drop("no recipe of the files names the component", "Import again with the recipe.");
        }
    }
}

fn key(resource: &Resource) -> String {
    format!("{}:{}", resource.reader.file(), resource.reader.path())
}

/// Fields that say nothing of the document.
fn common(resource: &Resource) {
    left(
        &resource.reader,
        &[
            ("semanticVersion", "a document in the repository has the repository's versions", ""),
            ("description", "it is told in the document", ""),
            ("changeDescription", "the change stands in the commit", ""),
            ("tags", "they are tags of the component, not of images", ""),
            ("kmsKeyId", "the document is a file", ""),
            ("supportedOsVersions", "the document's steps say what they need", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("version", "a document in the repository has the repository's versions", ""),
            ("parameters", "they stand in the document", ""),
            ("arn", "AWS made it", ""),
            ("type", "AWS made it", ""),
            ("owner", "AWS made it", ""),
            ("publisher", "AWS made it", ""),
            ("state", "AWS made it", ""),
            ("encrypted", "AWS made it", ""),
            ("obfuscate", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
        ],
    );
}
