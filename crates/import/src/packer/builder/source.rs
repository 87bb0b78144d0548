//! Converts the source image of a builder.

use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::Build;
use crate::yaml::{Map, Value};

/// Sets `source`; `None` when the builder has no source image, which is reported.
pub(super) fn read(build: &Build, context: &Context, map: &mut Map) -> Option<()> {
    let reader = &build.reader;
    let mut ami = Map::default();
    let fixed = reader.get("source_ami");
    // Only HCL has this field: from a data source that reads an SSM parameter.
    context.set(&mut ami, "parameter", reader.get("source_ami_parameter"), Context::text);
    let filter = reader.get("source_ami_filter");
    // With both an ID and a filter, Packer uses the ID unless it is empty.
    let id = fixed.as_ref().and_then(|fixed| {
        let empty = context.words(fixed)?.known().is_some_and(|known| known.trim().is_empty());
        if empty && filter.is_some() {
            fixed.drop("it is empty; `source_ami_filter` is used instead", "");
            return None;
        }
        context.needed(fixed).map(|value| (value, fixed))
    });
    if let Some((id, from)) = id {
        ami.set_from("id", id, from);
        if let Some(filter) = filter {
            filter.drop("`source_ami` is used instead", "");
        }
    } else if let Some(filter) = filter {
        filters(&filter, context, &mut ami);
        if ["filters", "owners", "owner"].iter().any(|key| filter.log().lost(&filter.location().key(key))) {
            let name = build.variables.require("source-ami", format!("The source image of {}.", build.image));
            filter.changed(
                "part of it is not imported, so that it would find another image: the source image must be set",
                format!("Set it with `--set {name}=ami-…`, or write `source` by hand."),
            );
            ami = Map::default();
            ami.set_from("id", format!("${{{{ vars.{name} }}}}"), &filter);
        }
    }
    // The newest image that matches the other filters, whatever its name.
    if ami.get("id").is_none()
        && ami.get("parameter").is_none()
        && ami.get("name").is_none()
        && ami.get("filters").is_some()
    {
        ami.set("name", "*");
    }
    if ["id", "name", "parameter"].iter().all(|key| ami.get(key).is_none()) {
        reader.drop(
            "it has no source image that can be imported",
            "Add a `source_ami` or a `source_ami_filter` with a name, or set its variable, and import again.",
        );
        return None;
    }
    let order = ["id", "owner", "name", "architecture", "filters"];
    ami.0.sort_by_key(|entry| order.iter().position(|key| *key == entry.key));
    map.within("source", |source| source.set("ami", ami));
    Some(())
}

fn filters(filter: &Reader, context: &Context, ami: &mut Map) {
    if let Some(owners) = filter.first(&["owners", "owner"]) {
        match context.texts_of(&owners) {
            Some(Value::List(all)) if all.len() == 1 => {
                for one in all {
                    ami.set_from("owner", one, &owners);
                }
            }
            Some(all) => ami.set_from("owner", all, &owners),
            None => {}
        }
    }
    let mut others = Map::default();
    let mut entries = Vec::new();
    for list in filter.get("filters").iter().flat_map(Reader::items) {
        if list.get("name").is_some() && list.get("values").is_some() {
            entries.push((list.get("name").and_then(|name| name.text()).unwrap_or_default(), list.get("values")));
        } else {
            entries.extend(list.entries().into_iter().map(|(key, value)| (key, Some(value))));
        }
    }
    for (key, value) in entries {
        let Some(value) = value else { continue };
        if key == "name" {
            if let Some(name) = context.needed(&value) {
                ami.set_from("name", name, &value);
            }
            continue;
        }
        let Some(words) = context.plain(&value) else { continue };
        // These filters mean the same as `owners`.
        if matches!(key, "owner-id" | "owner-alias") && ami.get("owner").is_none() {
            ami.set_from("owner", words.manifest(), &value);
            continue;
        }
        let architecture = words.known().is_some_and(|known| matches!(known.as_str(), "x86_64" | "arm64"));
        match key {
            "architecture" if architecture => ami.set_from("architecture", words.manifest(), &value),
            _ => others.set_from(key, words.manifest(), &value),
        }
    }
    ami.set_filled("filters", others);
    if let Some(recent) = filter.get("most_recent")
        && context.flag(&recent) == Some(false)
    {
        recent.changed("the newest matching image is used; Packer would fail on more than one", "");
    }
    if let Some(deprecated) = filter.get("include_deprecated")
        && context.flag(&deprecated) == Some(true)
    {
        deprecated.drop("deprecated images are never found", "Use the ID of the image if a deprecated one is needed.");
    }
    if ami.get("owner").is_none() && (ami.get("name").is_some() || ami.get("filters").is_some()) {
        ami.set("owner", Value::from("self"));
        filter.changed(
            "the filter has no owner; `self` is used, since anyone can publish an image with any name",
            "Set `owner` to the account that publishes the image.",
        );
    }
}
