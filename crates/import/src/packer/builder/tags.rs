//! Converts tags of Amazon's builders.

use crate::context::Context;
use crate::input::Reader;
use crate::yaml::Map;

/// Tags in both notations: a map, and a list of `key` (or `name`) and `value`.
pub(super) fn tags_of(reader: &Reader, context: &Context, map: &str, list: &str) -> Map {
    let mut all = reader.get(map).map(|map| context.map(&map)).unwrap_or_default();
    for tag in reader.get(list).iter().flat_map(Reader::items) {
        let Some(key) = tag.first(&["key", "name"]) else {
            tag.drop("the tag has no `key`", "Write it into the manifest by hand.");
            continue;
        };
        let Some(name) = context.words(&key).and_then(|key| key.known()) else { continue };
        if let Some(value) = tag.get("value")
            && let Some(words) = context.words(&value)
        {
            all.set_from(name, words.manifest(), &value);
        }
    }
    all
}
