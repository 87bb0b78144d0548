//! Lifecycle policies: which images are kept, and when one is deprecated.

use super::resource::{get, left};
use super::{Making, Resource};
use crate::input::Reader;
use crate::yaml::{Map, Value};

pub(super) fn read(policy: &Resource, making: &Making, image: &mut Map) {
    image.within("publish", |publish| {
        for detail in policy.get("policyDetails").iter().flat_map(Reader::items) {
            self::detail(&detail, making, publish);
        }
    });
    left(
        &policy.reader,
        &[
            ("resourceSelection", "the rules are those of this manifest's images", ""),
            ("resourceType", "the rules are those of this manifest's images", ""),
            ("executionRole", "the bake has the workflow's role", "See `aws.role`."),
            ("status", "the rules hold as long as they stand there", ""),
            ("name", "the rules are part of the image", ""),
            ("description", "the rules are part of the image", ""),
            ("tags", "they are tags of the policy", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("arn", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
            ("dateUpdated", "AWS made it", ""),
            ("dateLastRun", "AWS made it", ""),
        ],
    );
}

fn detail(detail: &Reader, making: &Making, publish: &mut Map) {
    let word = |reader: Option<Reader>| reader.and_then(|reader| making.context.words(&reader)?.known());
    let action = get(detail, "action").and_then(|action| get(&action, "type"));
    let filter = get(detail, "filter");
    let field = |name: &str| filter.as_ref().and_then(|filter| get(filter, name));
    let (action, kind) = (word(action), word(field("type")));
    let (value, least) = (field("value"), field("retainAtLeast"));
    let number = |reader: &Option<Reader>| making.context.number(reader.as_ref()?);
    match (action.as_deref(), kind.as_deref()) {
        (Some("DELETE"), Some("COUNT")) => keep(publish, "last", number(&value), value.as_ref()),
        (Some("DELETE"), Some("AGE")) => {
            let age = age(word(value.clone()), word(field("unit")));
            keep(publish, "newer-than", age, value.as_ref());
            keep(publish, "last", number(&least), least.as_ref());
        }
        (Some("DEPRECATE"), Some("AGE")) => {
            if let (Some(age), Some(value)) = (age(word(value.clone()), word(field("unit"))), value.as_ref()) {
                publish.set_from("deprecate-after", age, value);
            }
        }
        _ => {
            let help =
                "`publish.keep` says how many images are kept, `publish.deprecate-after` when one is deprecated.";
            return detail.drop("images are kept or taken away, and deprecated by their age alone", help);
        }
    }
    if let Some(resources) = get(detail, "action").and_then(|action| get(&action, "includeResources")) {
        resources.drop("an image goes with its snapshots", "");
    }
    left(
        detail,
        &[(
            "exclusionRules",
            "an image that is in use is kept, whatever the rules say; there are no other exceptions",
            "",
        )],
    );
}

fn keep(publish: &mut Map, key: &str, value: Option<Value>, from: Option<&Reader>) {
    if let (Some(value), Some(from)) = (value, from) {
        publish.within("keep", |keep| keep.set_from(key, value, from));
    }
}

/// An age in days: Image Builder has weeks, months and years too.
fn age(value: Option<String>, unit: Option<String>) -> Option<Value> {
    let value: u64 = value?.trim().parse().ok()?;
    let days = match unit?.as_str() {
        "DAYS" => 1,
        "WEEKS" => 7,
        "MONTHS" => 30,
        "YEARS" => 365,
        _ => return None,
    };
    Some(format!("{}d", value * days).into())
}
