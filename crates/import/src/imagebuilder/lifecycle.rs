//! Converts lifecycle policies to retention and deprecation.

use super::project::Project;
use super::resource::{Resource, get, unsupported};
use crate::input::Reader;
use crate::yaml::{Map, Value};

pub(super) fn read(policy: &Resource, project: &Project, image: &mut Map) {
    image.within("publish", |publish| {
        for detail in policy.get("policyDetails").iter().flat_map(Reader::items) {
            self::detail(&detail, project, publish);
        }
    });
    policy.report_unsupported(&[
        ("resourceSelection", "the rules apply to the images of this manifest", ""),
        ("resourceType", "the rules apply to the images of this manifest", ""),
        ("executionRole", "the bake uses the role of the workflow", "See `aws.role`."),
        ("status", "the rules are always active", ""),
        ("name", "the rules are part of the image", ""),
        ("description", "the rules are part of the image", ""),
        ("tags", "tags of the policy", ""),
        ("dateLastRun", "set by AWS", ""),
    ]);
}

fn detail(detail: &Reader, project: &Project, publish: &mut Map) {
    let word = |reader: Option<Reader>| reader.and_then(|reader| project.context.words(&reader)?.known());
    let action = get(detail, "action").and_then(|action| get(&action, "type"));
    let filter = get(detail, "filter");
    let field = |name: &str| filter.as_ref().and_then(|filter| get(filter, name));
    let (action, kind) = (word(action), word(field("type")));
    let (value, least, unit) = (field("value"), field("retainAtLeast"), field("unit"));
    if let Some(unit) = &unit
        && let Some(days) = word(Some(*unit)).as_deref().and_then(approximate)
    {
        unit.changed(days, "");
    }
    let number = |reader: &Option<Reader>| project.context.number(reader.as_ref()?);
    match (action.as_deref(), kind.as_deref()) {
        (Some("DELETE"), Some("COUNT")) => keep(publish, "last", number(&value), value.as_ref()),
        (Some("DELETE"), Some("AGE")) => {
            let age = age(word(value), word(unit));
            keep(publish, "newer-than", age, value.as_ref());
            keep(publish, "last", number(&least), least.as_ref());
        }
        (Some("DEPRECATE"), Some("AGE")) => {
            if let (Some(age), Some(value)) = (age(word(value), word(unit)), value.as_ref()) {
                publish.set_from("deprecate-after", age, value);
            }
        }
        _ => {
            let help = "Use `publish.keep` and `publish.deprecate-after`.";
            return detail.drop("only deleting images by count or age and deprecating them by age is supported", help);
        }
    }
    if let Some(resources) = get(detail, "action").and_then(|action| get(&action, "includeResources")) {
        resources.drop("an image is always deleted with its snapshots", "");
    }
    unsupported(
        detail,
        &[("exclusionRules", "images in use are never deleted; other exceptions are not supported", "")],
    );
}

fn keep(publish: &mut Map, key: &str, value: Option<Value>, from: Option<&Reader>) {
    if let (Some(value), Some(from)) = (value, from) {
        publish.within("keep", |keep| keep.set_from(key, value, from));
    }
}

/// What a unit whose length varies is taken for.
fn approximate(unit: &str) -> Option<&'static str> {
    match unit {
        "MONTHS" => Some("a month is taken as 30 days"),
        "YEARS" => Some("a year is taken as 365 days"),
        _ => None,
    }
}

/// An age in days: Image Builder also has weeks, months and years.
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
