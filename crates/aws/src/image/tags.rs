//! Tags: those that every resource gets at its creation (its run, and when sweep may delete it), and those of images.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::plan::ImageKey;
use ami_bake_core::{Run, tags};
use aws_sdk_ec2::types::{Image, ResourceType, Tag, TagSpecification};
use jiff::{SignedDuration, Timestamp};

/// Lifetime of key pairs, groups and roles: longer than any bake, since they cost nothing and a machine may need them.
pub(crate) const LIFETIME: Duration = Duration::from_hours(24);

/// Prefix of tags that other accounts can read, with `ami-bake/` instead of `ami-bake:`.
const SHARED: &str = "ec2:SharedTag/ami-bake/";

/// The value of the expiry tag: RFC 3339, in whole seconds, UTC.
pub(crate) fn expiring(run: &Run, after: Duration) -> String {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::from_hours(24));
    let at: Timestamp = run.clock().now().saturating_add(after).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The tags of a temporary resource of the run: name, namespace, image, run, origin, expiry.
pub(crate) fn created(
    run: &Run,
    name: &str,
    namespace: Option<&str>,
    key: Option<&ImageKey>,
    lifetime: Duration,
) -> BTreeMap<String, String> {
    let mut all = run.origin().clone();
    all.insert("Name".to_owned(), name.to_owned());
    all.insert(tags::RUN.to_owned(), run.id().to_owned());
    all.insert(tags::EXPIRES.to_owned(), expiring(run, lifetime));
    if let Some(namespace) = namespace {
        all.insert(tags::NAME.to_owned(), namespace.to_owned());
    }
    if let Some(key) = key {
        all.insert(tags::IMAGE.to_owned(), key.image.clone());
        if let Some(variant) = &key.variant {
            all.insert(tags::VARIANT.to_owned(), variant.clone());
        }
    }
    all
}

/// Converts tags for EC2's API.
pub(crate) fn to_ec2(all: &BTreeMap<String, String>) -> Vec<Tag> {
    all.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags for the create call, so that no resource is ever without tags.
pub(crate) fn specification(kind: ResourceType, all: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(to_ec2(all))).build()
}

/// The name of one of our tags as other accounts see it.
pub(crate) fn shared_key(key: &str) -> String {
    key.replacen("ami-bake:", SHARED, 1)
}

/// The tags that an image was given, without AWS' own and those for other accounts.
pub(crate) fn own_tags(image: &Image) -> BTreeMap<String, String> {
    let mut all = tags_of(image);
    all.retain(|key, _| !key.starts_with("aws:") && !key.starts_with(SHARED));
    all
}

/// All tags, with those that the owner shares under their original names.
pub(crate) fn tags_of(image: &Image) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = image
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect();
    let shared: Vec<(String, String)> = all
        .iter()
        .filter_map(|(key, value)| Some((format!("ami-bake:{}", key.strip_prefix(SHARED)?), value.clone())))
        .collect();
    for (key, value) in shared {
        all.entry(key).or_insert(value);
    }
    all
}
