//! Converts the image's name, and where it is published.

use super::tags::tags_of;
use crate::context::Context;
use crate::input::{FindingKind, Reader};
use crate::packer::build::ImageDraft;
use crate::yaml::{Entry, Map, Value};

pub(super) fn read(reader: &Reader, context: &Context, image: &mut ImageDraft) {
    let home = image.region.as_ref().map(|(region, _)| region.clone());
    let map = &mut image.map;
    if let Some(key) = home_key(reader, context) {
        // `region_kms_key_ids` takes precedence over `kms_key_id` in the home region.
        map.within("machine", |machine| machine.within("disk", |disk| disk.set_from("kms-key", key.0, &key.1)));
    }
    map.within("publish", |publish| {
        if let Some(name) = reader.get("ami_name")
            && let Some(value) = context.needed(&name)
            && let Some(words) = context.words(&name)
        {
            let moves = words.0.iter().any(|part| matches!(part, crate::template::Part::Expr(_)));
            if !moves {
                name.changed(
                    "the name is always the same, but EC2 allows a name only once",
                    "Add `${{ version }}` or `${{ timestamp }}` to it.",
                );
            }
            // `isotime` and `uuid` both become `timestamp`, which is needed only once.
            let value = match value {
                Value::Text(text) => Value::from(with_one_timestamp(&text)),
                value => value,
            };
            publish.set_from("name", value, &name);
        }
        context.set(publish, "description", reader.get("ami_description"), Context::text);
        regions(reader, context, home.as_ref(), publish);
        share(reader, context, publish);
        tags(reader, context, publish);
        lifecycle(reader, context, publish);
    });
}

/// A name without repeated timestamps.
fn with_one_timestamp(name: &str) -> String {
    const TIMESTAMP: &str = "${{ timestamp }}";
    let Some(end) = name.find(TIMESTAMP).map(|at| at + TIMESTAMP.len()) else { return name.to_owned() };
    let rest = ['-', '_', '.', ' ', '/']
        .iter()
        .fold(name[end..].to_owned(), |rest, separator| rest.replace(&format!("{separator}{TIMESTAMP}"), ""));
    name[..end].to_owned() + &rest.replace(TIMESTAMP, "")
}

/// The key that `region_kms_key_ids` has for the home region.
fn home_key<'a>(reader: &Reader<'a>, context: &Context) -> Option<(Value, Reader<'a>)> {
    let home = context.words(&reader.get("region")?)?.known()?;
    let key = reader.get("region_kms_key_ids")?.get(&home)?;
    Some((context.text(&key)?, key))
}

fn regions(reader: &Reader, context: &Context, home: Option<&Value>, publish: &mut Map) {
    let home_known = reader.get("region").and_then(|region| context.words(&region)?.known());
    let mut keys: Vec<(&str, Option<Value>, Reader)> = Vec::new();
    if let Some(map) = reader.get("region_kms_key_ids") {
        keys = map.entries().into_iter().map(|(region, key)| (region, context.text(&key), key)).collect();
    }
    let list = reader.get("ami_regions");
    // A variable that contains the whole list.
    if let Some(list) = list.filter(|list| !list.is_list() && keys.is_empty())
        && let Some(value @ Value::Text(_)) = context.texts_of(&list)
    {
        publish.set_from("regions", value, &list);
        return;
    }
    let mut regions: Vec<Value> = Vec::new();
    for (words, _) in list.iter().flat_map(|list| context.list(list)) {
        let known = words.known();
        let region = Value::from(words.manifest());
        let at = keys.iter().position(|(region, ..)| known.as_deref() == Some(*region));
        let key = at.and_then(|at| keys.remove(at).1);
        // The image is always in the home region.
        if known.is_some() && (known == home_known || Some(&region) == home) {
            continue;
        }
        let entry = match key {
            Some(key) => {
                let mut map = Map::default();
                map.set("region", region);
                map.set("kms-key", key);
                map.into()
            }
            None => region,
        };
        if !regions.contains(&entry) {
            regions.push(entry);
        }
    }
    if let Some(list) = list.filter(|_| !regions.is_empty()) {
        publish.set_from("regions", regions, &list);
    }
    for (region, _, key) in keys {
        if home_known.as_deref() != Some(region) {
            key.drop("the image is not published to this region", "Add the region to `publish.regions`.");
        }
    }
}

fn share(reader: &Reader, context: &Context, publish: &mut Map) {
    let mut share = Map::default();
    for (key, own) in
        [("ami_users", "accounts"), ("ami_org_arns", "organizations"), ("ami_ou_arns", "organizational-units")]
    {
        context.set(&mut share, own, reader.get(key), Context::texts_of);
    }
    if let Some(groups) = reader.get("ami_groups") {
        for (words, item) in context.list(&groups) {
            if words.known().as_deref() == Some("all") {
                share.set_from("public", true, &groups);
            } else {
                item.drop("the only supported group is `all`", "Write `publish.share` by hand.");
            }
        }
    }
    for (key, like, shared) in
        [("snapshot_users", "ami_users", "accounts"), ("snapshot_groups", "ami_groups", "public")]
    {
        let Some(list) = reader.get(key) else { continue };
        let same = reader.get(like).is_some_and(|other| names(&other) == names(&list));
        if names(&list).is_empty() || (same && share.get(shared).is_some()) {
            list.mark_used();
            continue;
        }
        list.drop("snapshots are shared with the same accounts as the image", "Add them to `publish.share`.");
    }
    publish.set_filled("share", share);
}

/// The items of a list as they are written; a text with commas is a list too.
fn names(list: &Reader) -> Vec<String> {
    let written = |item: &Reader| item.value.template().map(|text| text.written()).unwrap_or_default();
    let all: Vec<String> = list.items().iter().map(written).collect();
    all.iter()
        .flat_map(|text| text.split(','))
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

fn tags(reader: &Reader, context: &Context, publish: &mut Map) {
    // Packer creates the image with the tags of the machine (unless `skip_ami_run_tags`), which its own tags override.
    let skip = reader.get("skip_ami_run_tags").and_then(|skip| context.flag(&skip)) == Some(true);
    let mut tags = if skip { Map::default() } else { tags_of(reader, context, "run_tags", "run_tag") };
    let own = tags_of(reader, context, "tags", "tag");
    for entry in own.0 {
        tags.0.retain(|known| known.key != entry.key);
        tags.0.push(entry);
    }
    let snapshots = tags_of(reader, context, "snapshot_tags", "snapshot_tag");
    if !snapshots.0.iter().all(|entry| tags.0.contains(entry)) {
        for field in ["snapshot_tags", "snapshot_tag"].iter().filter_map(|key| reader.get(key)) {
            field.drop("snapshots get the tags of their image", "Add them to `publish.tags`.");
        }
    }
    let (reserved, free): (Vec<_>, Vec<_>) =
        tags.0.into_iter().partition(|entry| entry.key.starts_with("aws:") || entry.key.starts_with("ami-bake:"));
    for entry in reserved {
        if let Some(tag) = reader.get("tags").and_then(|tags| tags.get(&entry.key)) {
            tag.drop("tags that start with `aws:` or `ami-bake:` are reserved", "Rename the tag.");
        }
    }
    publish.set_filled("tags", Map(within_limit(free, reader, publish)));
}

/// The tags that fit on an image: EC2 allows 50 (EC2 user guide, tag restrictions), and a bake sets up to 18 of its own, 25 on
/// shared images. The template's own tags come before those of the machine.
fn within_limit(mut tags: Vec<Entry>, reader: &Reader, publish: &Map) -> Vec<Entry> {
    let limit = if publish.get("share").is_some() { 25 } else { 32 };
    let of_machine = |entry: &Entry| {
        entry
            .origin
            .as_ref()
            .is_some_and(|origin| origin.path.contains(".run_tag") || origin.path.starts_with("run_tag"))
    };
    if tags.len() > limit {
        tags.sort_by_key(of_machine);
    }
    for entry in tags.drain(limit.min(tags.len())..) {
        if let Some(origin) = &entry.origin {
            reader.log().report(
                FindingKind::Dropped,
                origin,
                format!("the image has too many tags: EC2 allows 50, and a bake sets {} of them", 50 - limit),
                "Leave out tags that the image does not need.",
            );
        }
    }
    tags
}

fn lifecycle(reader: &Reader, context: &Context, publish: &mut Map) {
    // `required` is the default of a manifest.
    let v2 = reader.get("imds_support").and_then(|support| context.plain(&support)?.known());
    if v2.as_deref() != Some("v2.0") {
        reader.changed(
            "IMDSv2 is required for the image and its build machine; Packer leaves it optional",
            "If software needs IMDSv1, set `publish.imds: optional` and `machine.metadata.tokens: optional`.",
        );
    }
    if let Some(protection) = reader.get("deregistration_protection") {
        context.set(publish, "protect", protection.get("enabled"), Context::switch);
        if let Some(cooldown) = protection.get("with_cooldown")
            && context.flag(&cooldown) == Some(true)
        {
            // Packer treats it like `enabled`.
            publish.set_from("protect", true, &cooldown);
            cooldown.drop("a cooldown is not supported", "");
        }
    }
    if let Some(date) = reader.get("deprecate_at") {
        date.drop("a fixed date is not supported", "Set `publish.deprecate-after` to an age, such as `90d`.");
    }
}
