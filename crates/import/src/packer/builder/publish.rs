//! What the image is called, and where it goes.

use crate::context::Context;
use crate::input::Reader;
use crate::yaml::{Map, Value};

pub(super) fn read(reader: &Reader, context: &Context, map: &mut Map) {
    map.within("publish", |publish| {
        if let Some(name) = reader.get("ami_name")
            && let Some(value) = context.needed(&name)
            && let Some(words) = context.words(&name)
        {
            let moves = words.0.iter().any(|part| matches!(part, crate::template::Part::Expr(_)));
            if !moves {
                name.changed(
                    "the name never changes, and EC2 takes a name once",
                    "Put `${{ version }}` or `${{ timestamp }}` into it.",
                );
            }
            publish.set_from("name", value, &name);
        }
        if let Some(text) = reader.get("ami_description")
            && let Some(value) = context.text(&text)
        {
            publish.set_from("description", value, &text);
        }
        regions(reader, context, publish);
        share(reader, context, publish);
        tags(reader, context, publish);
        lifecycle(reader, context, publish);
    });
}

fn regions(reader: &Reader, context: &Context, publish: &mut Map) {
    let mut keys: Vec<(String, Value)> = Vec::new();
    if let Some(map) = reader.get("region_kms_key_ids") {
        for (region, key) in map.entries() {
            if let Some(value) = context.text(&key) {
                keys.push((region.to_owned(), value));
            } else {
                keys.push((region.to_owned(), Value::from("")));
            }
        }
    }
    let Some(list) = reader.get("ami_regions") else {
        if let Some(map) = reader.get("region_kms_key_ids").filter(|_| !keys.is_empty()) {
            map.drop("it names keys for regions that get no image", "Add the regions to `publish.regions`.");
        }
        return;
    };
    let mut regions: Vec<Value> = Vec::new();
    for (words, _) in context.list(&list) {
        let known = words.known().unwrap_or_default();
        let key = keys.iter().find(|(region, key)| *region == known && *key != Value::from(""));
        let region = Value::from(words.manifest());
        let entry = match key {
            Some((_, key)) => {
                let mut map = Map::default();
                map.set("region", region);
                map.set("kms-key", key.clone());
                map.into()
            }
            None => region,
        };
        if !regions.contains(&entry) {
            regions.push(entry);
        }
    }
    if !regions.is_empty() {
        publish.set_from("regions", regions, &list);
    }
}

fn share(reader: &Reader, context: &Context, publish: &mut Map) {
    let mut share = Map::default();
    for (key, own) in
        [("ami_users", "accounts"), ("ami_org_arns", "organizations"), ("ami_ou_arns", "organizational-units")]
    {
        if let Some(list) = reader.get(key) {
            let all = context.texts(&list);
            if !all.is_empty() {
                share.set_from(own, all, &list);
            }
        }
    }
    if let Some(groups) = reader.get("ami_groups") {
        for (words, item) in context.list(&groups) {
            if words.known().as_deref() == Some("all") {
                share.set_from("public", true, &groups);
            } else {
                item.drop("only `all` is known as a group of users", "Write `publish.share` by hand.");
            }
        }
    }
    for (key, like, shared) in
        [("snapshot_users", "ami_users", "accounts"), ("snapshot_groups", "ami_groups", "public")]
    {
        let Some(list) = reader.get(key) else { continue };
        let same = reader.get(like).is_some_and(|other| {
            let text =
                |list: &Reader| context.list(list).into_iter().map(|(words, _)| words.manifest()).collect::<Vec<_>>();
            text(&other) == text(&list)
        });
        let empty = context.list(&list).is_empty();
        if empty || (same && share.get(shared).is_some()) {
            continue;
        }
        list.drop("snapshots are shared with those that the image is shared with", "Write them into `publish.share`.");
    }
    publish.set_filled("share", share);
}

fn tags(reader: &Reader, context: &Context, publish: &mut Map) {
    if let Some(tag) = reader.get("tag") {
        tag.drop("it is HCL's form of tags", "Write them into `publish.tags`.");
    }
    let tags = reader.get("tags").map(|tags| context.map(&tags));
    if let Some(snapshots) = reader.get("snapshot_tags") {
        let map = context.map(&snapshots);
        match &tags {
            Some(tags) if map.0.iter().all(|entry| tags.0.contains(entry)) => {}
            _ if map.is_empty() => {}
            _ => snapshots.drop("snapshots have the tags of their image", "Write them into `publish.tags`."),
        }
    }
    if let Some(mut tags) = tags {
        for entry in std::mem::take(&mut tags.0) {
            if entry.key.starts_with("aws:") || entry.key.starts_with("ami-bake:") {
                if let Some(tag) = reader.get("tags").and_then(|tags| tags.get(&entry.key)) {
                    tag.drop("tags that begin with `aws:` and `ami-bake:` are reserved", "Give it another name.");
                }
            } else {
                tags.0.push(entry);
            }
        }
        publish.set_filled("tags", tags);
    }
}

fn lifecycle(reader: &Reader, context: &Context, publish: &mut Map) {
    if let Some(support) = reader.get("imds_support")
        && context.plain(&support).and_then(|words| words.known()).as_deref() == Some("v2.0")
    {
        publish.set_from("imds", "required", &support);
    }
    if let Some(protection) = reader.get("deregistration_protection") {
        if let Some(enabled) = protection.get("enabled")
            && let Some(value) = context.switch(&enabled)
        {
            publish.set_from("protect", value, &enabled);
        }
        if let Some(cooldown) = protection.get("with_cooldown") {
            cooldown.drop("the protection has no cool-down", "");
        }
    }
    if let Some(date) = reader.get("deprecate_at") {
        date.drop("it is one day for all images", "Set `publish.deprecate-after` to an age, such as `90d`.");
    }
}
