//! Parses Packer's JSON templates.

use std::cell::Cell;

use super::model::{BuildBlock, Builder, DeclaredVariable, PackerTemplate, PostProcessor, Provisioner};
use crate::comment;
use crate::input::{InputValue, Log, Member, Reader, ValueKind};

/// Converts a JSON document to a template.
pub(crate) fn template(mut root: InputValue, log: &Log) -> PackerTemplate {
    log.report_duplicates(&root);
    let mut comments = comment::of(&Reader::new(&root, log));
    comments.extend(Reader::new(&root, log).get("description").iter().flat_map(comment::text));
    let variables = variables(&mut root, log);
    let list = |root: &mut InputValue, key: &str| root.take(key).map(items).unwrap_or_default();
    let builders = list(&mut root, "builders");
    let provisioners = list(&mut root, "provisioners");
    let post_processors = list(&mut root, "post-processors");
    let build = BuildBlock {
        group: None,
        builders: builders.into_iter().filter_map(|fields| builder(fields, log)).collect(),
        provisioners: provisioners.into_iter().map(|fields| provisioner(fields, log)).collect(),
        post_processors: post_processors
            .into_iter()
            .flat_map(|entry| {
                let chain = entry.location.clone();
                let one = move |fields| PostProcessor { kind: post_kind(&fields), chain: chain.clone(), fields };
                items(entry).into_iter().map(one)
            })
            .collect(),
    };
    let others = root.into_entries().into_iter().map(|member| member.value).collect();
    PackerTemplate { comments, variables, builds: vec![build], others }
}

fn variables(root: &mut InputValue, log: &Log) -> Vec<DeclaredVariable> {
    let sensitive: Vec<String> = Reader::new(root, log)
        .get("sensitive-variables")
        .iter()
        .flat_map(Reader::items)
        .filter_map(|item| item.text().map(str::to_owned))
        .collect();
    // A value that is not a map is reported as unused.
    if !Reader::new(root, log).get("variables").is_some_and(|variables| variables.is_map()) {
        return Vec::new();
    }
    let entries = root.take("variables").map(InputValue::into_entries).unwrap_or_default();
    let declared = |member: Member| DeclaredVariable {
        sensitive: sensitive.contains(&member.key),
        name: member.key,
        default: member.value,
        evaluated: false,
        comments: Vec::new(),
    };
    entries.into_iter().map(declared).collect()
}

/// The items of a list; a single value counts as a list of one, `null` for none.
fn items(value: InputValue) -> Vec<InputValue> {
    match value.kind {
        ValueKind::List(items) => items,
        ValueKind::Null => Vec::new(),
        _ => vec![value],
    }
}

/// The type of a builder or a step.
fn kind(fields: &Reader) -> Option<String> {
    fields.get("type")?.text().map(str::to_owned)
}

fn builder(fields: InputValue, log: &Log) -> Option<Builder> {
    let reader = Reader::new(&fields, log);
    let Some(kind) = kind(&reader) else {
        reader.drop("the builder has no `type`", "Add a `type` and import again.");
        return None;
    };
    let name = reader.get("name").and_then(|name| name.template().map(std::borrow::Cow::into_owned));
    let comments = comment::of(&reader);
    Some(Builder { kind, name, source: None, comments, fields })
}

fn provisioner(fields: InputValue, log: &Log) -> Provisioner {
    let reader = Reader::new(&fields, log);
    let (kind, comments) = (kind(&reader).unwrap_or_default(), comment::of(&reader));
    Provisioner { kind, comments, fields, used: Cell::new(false) }
}

/// The type of a post-processor, which may be written as a plain string.
fn post_kind(fields: &InputValue) -> String {
    let kind = fields.literal().or_else(|| fields.get("type")?.literal());
    kind.unwrap_or_default().to_owned()
}
