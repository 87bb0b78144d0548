//! The tags of an image (docs/dev/lifecycle.md, "Tags on image and snapshots").

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::plan::{ImagePlan, TestConnect};
use crate::run::Run;
use crate::tags;

/// Age at which sweep may delete a candidate.
const CANDIDATE_LIFE: Duration = Duration::from_hours(6);
/// Lifetime of an image of a pull request or side branch (docs/dev/lifecycle.md, "The version").
const PRERELEASE_LIFE: Duration = Duration::from_hours(7 * 24);

/// Tags of a candidate, including its expiry.
pub(super) fn candidate(run: &Run, plan: &ImagePlan) -> BTreeMap<String, String> {
    let mut tags = common(run, plan);
    tags.insert(tags::EXPIRES.to_owned(), after(run.clock().now(), CANDIDATE_LIFE));
    tags
}

/// Tags of a tested image.
pub(super) fn tested(run: &Run, plan: &ImagePlan, at: Timestamp) -> BTreeMap<String, String> {
    let mut tags = common(run, plan);
    tags.insert(tags::TESTED.to_owned(), at.to_string());
    if plan.settings.test_connect == Some(TestConnect::None) {
        tags.insert(tags::TEST_CONNECT.to_owned(), "none".to_owned());
    }
    // An unmerged version that the manifest explicitly publishes is meant to stay.
    if !plan.version.pre.is_empty() && !plan.settings.distribution.wanted {
        tags.insert(tags::EXPIRES.to_owned(), after(at, PRERELEASE_LIFE));
    }
    tags
}

fn after(at: Timestamp, life: Duration) -> String {
    at.checked_add(life).unwrap_or(at).to_string()
}

fn common(run: &Run, plan: &ImagePlan) -> BTreeMap<String, String> {
    let source = &plan.source;
    let mut ours: BTreeMap<&str, String> = BTreeMap::from([
        ("Name", plan.settings.name.clone()),
        (tags::NAME, plan.namespace.clone()),
        (tags::IMAGE, plan.key.image.clone()),
        (tags::VERSION, plan.version.to_string()),
        (tags::DIGEST, plan.digest.to_string()),
        (tags::SOURCE, source.id.clone()),
        (tags::SOURCE_NAME, source.name.clone()),
        (tags::SOURCE_OWNER, source.owner.clone()),
        (tags::RUN, run.id().to_owned()),
    ]);
    if let Some(parts) = plan.parts.to_tag() {
        ours.insert(tags::INPUTS, parts);
    }
    if let Some(variant) = &plan.key.variant {
        ours.insert(tags::VARIANT, variant.clone());
    }
    if let Some(created) = source.created {
        ours.insert(tags::SOURCE_CREATED, created.to_string());
    }
    if let Some(version) = &source.version {
        ours.insert(tags::BASE_VERSION, version.to_string());
    }
    // The manifest's own tags may rename the image, but not change its version, digest or source.
    let mut all = run.origin().clone();
    all.extend(plan.settings.tags.clone());
    for (key, value) in ours {
        if key == "Name" && all.contains_key(key) {
            continue;
        }
        all.insert(key.to_owned(), value);
    }
    all
}
