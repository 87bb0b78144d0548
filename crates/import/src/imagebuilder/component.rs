//! Converts component documents to steps.

use std::path::Path;

use ami_bake_manifest::access::credential;
use ami_bake_manifest::diagnostic::Sources;
use ami_bake_manifest::tree;

use super::intrinsic::REFERENCE;
use super::project::Project;
use super::resource::{Resource, get};
use super::resource_kind::ResourceKind;
use crate::input::{InputValue, Location, Member, Reader};
use crate::output::{Draft, name};
use crate::template::Template;
use crate::yaml::{Map, Value};

/// A component document that steps run.
pub(super) struct UsedDocument {
    path: String,
    phases: Vec<String>,
    /// Required parameters: those without a default.
    required: Vec<String>,
    with: Map,
}

impl UsedDocument {
    fn new(path: String, root: &InputValue) -> Self {
        Self { path, phases: phases(root), required: required(root), with: Map::default() }
    }
}

/// All documents, in order: those of files, and those inside resources.
pub(super) fn documents(project: &Project, draft: &mut Draft) -> Vec<UsedDocument> {
    let mut all: Vec<UsedDocument> =
        project.all.documents.iter().map(|(path, root)| of_file(path, root, project)).collect();
    for resource in project.all.of(ResourceKind::Component) {
        all.extend(of_resource(resource, project, draft));
    }
    ask_for_parameters(&mut all, draft);
    all
}

/// Declares variables for parameters without any value.
fn ask_for_parameters(documents: &mut [UsedDocument], draft: &mut Draft) {
    for document in documents {
        for name in &document.required {
            let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !credential::named(name);
            if fits && document.with.get(name).is_none() {
                document.with.set(name.as_str(), format!("${{{{ vars.{name} }}}}"));
                draft.vars.set(name.as_str(), Value::Raw("null".to_owned()));
                draft.vars.comment(vec![format!("A parameter of {}.", document.path)]);
            }
        }
    }
}

fn of_file(path: &Path, root: &Reader, project: &Project) -> UsedDocument {
    // The document is used unchanged.
    root.mark_used();
    let found = project.context.paths.find(&path.to_string_lossy());
    UsedDocument::new(found.text, root.value)
}

fn required(root: &InputValue) -> Vec<String> {
    let parameters = root.get("parameters").map(InputValue::items).unwrap_or_default();
    let without_default = |member: &&Member| member.value.get("default").is_none();
    let names = parameters.iter().flat_map(InputValue::entries).filter(without_default);
    names.map(|member| member.key.clone()).collect()
}

fn phases(root: &InputValue) -> Vec<String> {
    let phases = root.get("phases").map(InputValue::items).unwrap_or_default();
    phases.iter().filter_map(|phase| phase.get("name")?.literal().map(str::to_owned)).collect()
}

/// The document inside a resource, which is written to a file beside the manifest.
fn of_resource(resource: &Resource, project: &Project, draft: &mut Draft) -> Option<UsedDocument> {
    let own = resource.name(&project.context).unwrap_or_else(|| "component".to_owned());
    project.used.borrow_mut().push(key(resource));
    common(resource);
    if let Some(platform) = resource.get("platform")
        && platform.text() != Some("Linux")
    {
        resource.reader.drop("only Linux components are supported", "");
        return None;
    }
    if let Some(uri) = resource.get("uri") {
        uri.drop(
            "the document is in S3",
            format!("Download it (`aws s3 cp … {}.yml`) and import again with the file.", name(&own)),
        );
        return None;
    }
    let data = resource.get("data")?;
    let Some(text) = data.text() else {
        data.drop("this is not text", "Save the document as a file and import again with it.");
        return None;
    };
    let file = Sources::default().add("", text);
    let Some(root) = tree::parse(file, text, &mut Vec::new()) else {
        data.drop("this is not a component document", "Save the document as a file and import again with it.");
        return None;
    };
    let root = InputValue::of_tree(&root, Location::default());
    if credential::holds(text) {
        data.drop("it contains a credential, which is never copied", "Remove it and import again.");
        return None;
    }
    let path = format!("components/{}.yml", name(&own));
    draft.files.push((path.clone(), if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }));
    Some(UsedDocument::new(path, &root))
}

/// The documents of a recipe's components.
pub(super) fn of_recipe(recipe: &Resource, project: &Project, draft: &mut Draft) -> Vec<UsedDocument> {
    let listed: Vec<Reader> = recipe.get("components").iter().flat_map(Reader::items).collect();
    let mut found: Vec<(usize, UsedDocument)> = Vec::new();
    let mut left_files: Vec<usize> = (0..project.all.documents.len()).collect();
    let mut unknown: Vec<(usize, &Reader)> = Vec::new();
    let of_document = |index: usize, component: &Reader| {
        let (path, root) = &project.all.documents[index];
        UsedDocument { with: parameters(component, project), ..of_file(path, root, project) }
    };
    for (order, component) in listed.iter().enumerate() {
        let Some(arn) = get(component, "componentArn") else {
            component.drop("it has no `componentArn`", "");
            continue;
        };
        let template = arn.value.template().unwrap_or_default();
        let text = template.written();
        let resource = project.all.of(ResourceKind::Component).find(|resource| refers(&template, resource, project));
        let named = resource.and_then(|resource| resource.name(&project.context)).unwrap_or_default().to_lowercase();
        let own = text.split_once(":component/").and_then(|(_, tail)| tail.split('/').next()).unwrap_or(&named);
        let uri = resource.and_then(|resource| resource.get("uri"));
        let end = uri.as_ref().and_then(|uri| uri.value.literal()?.rsplit('/').next()).unwrap_or_default();
        let file = left_files.iter().position(|index| {
            let document = &project.all.documents[*index];
            is_named(document, own) || document.0.file_name().is_some_and(|name| name == end)
        });
        if let Some(at) = file {
            arn.mark_used();
            if let (Some(resource), Some(uri)) = (resource, uri) {
                project.used.borrow_mut().push(key(resource));
                common(resource);
                uri.mark_used();
            }
            found.push((order, of_document(left_files.remove(at), component)));
        } else if let Some(resource) = resource {
            arn.mark_used();
            if let Some(document) = of_resource(resource, project, draft) {
                found.push((order, UsedDocument { with: parameters(component, project), ..document }));
            }
        } else {
            unknown.push((order, component));
        }
    }
    // Where names do not match, documents are assigned in order, if there are enough of them.
    let matches = !left_files.is_empty() && unknown.len() <= left_files.len();
    for (order, component) in unknown {
        let Some(arn) = get(component, "componentArn") else { continue };
        if matches && !left_files.is_empty() {
            let index = left_files.remove(0);
            let document = of_document(index, component);
            arn.mark_used();
            arn.changed(
                format!("{} was assigned to it by the order of the files", document.path),
                "Check that it is the right one.",
            );
            found.push((order, document));
        } else {
            let text = arn.value.template().unwrap_or_default().written();
            let why = if text.contains(":aws:component/") {
                "it is a component managed by Amazon"
            } else {
                "its document is not among the imported files"
            };
            component.drop(why, "Download it (`aws imagebuilder get-component --component-build-version-arn …`), save its `data` as a file, and import again with it.");
        }
    }
    // Components run in the order of the recipe.
    found.sort_by_key(|(order, _)| *order);
    let mut used: Vec<UsedDocument> = found.into_iter().map(|(_, used)| used).collect();
    // Documents that the recipe does not list are used too.
    for index in left_files {
        let (path, root) = &project.all.documents[index];
        used.push(of_file(path, root, project));
    }
    ask_for_parameters(&mut used, draft);
    used
}

/// Whether an ARN refers to a component resource.
fn refers(arn: &Template, resource: &Resource, project: &Project) -> bool {
    let by_id = resource.id.is_some() && resource.id == arn.call_of(REFERENCE);
    let named = resource
        .name(&project.context)
        .is_some_and(|name| arn.written().to_lowercase().contains(&format!(":component/{}/", name.to_lowercase())));
    by_id || named
}

fn is_named(document: &(std::path::PathBuf, Reader), own: &str) -> bool {
    if own.is_empty() {
        return false;
    }
    let stem = document.0.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let inside = document.1.value.get("name").and_then(InputValue::literal).unwrap_or_default().to_lowercase();
    stem.split('.').next() == Some(own) || stem == own || inside == own
}

fn parameters(component: &Reader, project: &Project) -> Map {
    let mut with = Map::default();
    for parameter in get(component, "parameters").iter().flat_map(Reader::items) {
        let Some(name) = get(&parameter, "name").and_then(|name| name.text()) else { continue };
        let Some(value) = get(&parameter, "value") else { continue };
        let texts = project.context.texts(&value);
        let words: Vec<String> = texts
            .into_iter()
            .filter_map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        if credential::named(name) && words.iter().any(|word| !word.contains("${{")) {
            value.drop(
                "the value of a credential is never copied",
                "Let the document read it from its environment or from SSM Parameter Store.",
            );
            continue;
        }
        // A list with a part that was reported is not the same list.
        if words.is_empty() || words.len() != value.items().len() {
            continue;
        }
        with.set_from(name, words.join(","), &value);
    }
    with
}

/// Adds a step for each stage that a document has phases for.
pub(super) fn steps(documents: &[UsedDocument], image: &mut Map) {
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

/// Reports component resources that no recipe uses.
pub(super) fn report_unused(project: &Project) {
    for resource in project.all.of(ResourceKind::Component) {
        if let Some(name) = resource.get("name") {
            name.mark_used();
        }
        if project.used.borrow().contains(&key(resource)) {
            continue;
        }
        common(resource);
        if let Some(platform) = resource.get("platform") {
            platform.mark_used();
        }
        let answered = project.all.documents.len() >= project.all.of(ResourceKind::Component).count();
        if let Some(uri) = resource.get("uri").filter(|_| answered) {
            uri.changed("one of the imported documents was assigned to it", "Check that it is the right one.");
            uri.mark_used();
        } else if let Some(uri) = resource.get("uri") {
            uri.drop(
                "the document is in S3, and no imported recipe uses the component",
                "Download the document and import again with it.",
            );
        }
        if let Some(data) = resource.get("data") {
            data.drop("no imported recipe uses the component", "Import again with the recipe.");
        }
    }
}

fn key(resource: &Resource) -> String {
    format!("{}:{}", resource.reader.location().file, resource.reader.location().path)
}

/// Reports fields that are not part of the document.
fn common(resource: &Resource) {
    resource.report_unsupported(&[
        ("semanticVersion", "the document is versioned with the repository", ""),
        ("description", "the document has a description of its own", ""),
        ("changeDescription", "changes are described in commits", ""),
        ("tags", "tags of the component, not of images", ""),
        ("kmsKeyId", "the document is stored as a file", ""),
        ("supportedOsVersions", "not checked", ""),
        ("version", "the document is versioned with the repository", ""),
        ("parameters", "parameters are declared in the document", ""),
        ("type", "set by AWS", ""),
        ("owner", "set by AWS", ""),
        ("publisher", "set by AWS", ""),
        ("state", "set by AWS", ""),
        ("encrypted", "set by AWS", ""),
        ("obfuscate", "set by AWS", ""),
    ]);
}
