//! The content of an account, without what differs from run to run.

use std::collections::{BTreeMap, BTreeSet};

use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::Fixture;
use crate::fleet::{HOME, described, elements, groups};
use crate::owner::{ec2, element, parameters};

/// One line for each resource, each setting and each pointer; sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holdings(Vec<String>);

impl Holdings {
    /// The content once no operation is in progress any more.
    pub(super) fn of(fixture: &Fixture) -> Self {
        let leaks = wait::until_ok(|| {
            let leaks = fixture.cloud.leaks();
            let moving = entries(&leaks)
                .any(|(_, _, entry)| matches!(entry["state"].as_str(), Some("shutting-down" | "stopping" | "pending")));
            if moving { Err(format!("something never comes to rest: {leaks:#}")) } else { Ok(leaks) }
        });
        let mut lines: Vec<String> =
            entries(&leaks).flat_map(|(place, kind, entry)| lines(place, kind, entry)).collect();
        let images: BTreeMap<&str, OwnedImage<'_>> = entries(&leaks)
            .filter(|(_, kind, _)| *kind == "images")
            .filter_map(|(place, _, entry)| {
                let region = place.split_once('/')?.1;
                Some((entry["id"].as_str()?, OwnedImage { region, name: entry["name"].as_str()? }))
            })
            .collect();
        lines.extend(pointers(fixture, &images));
        lines.sort();
        Self(lines)
    }

    /// Lines that are in this one but not in the others.
    pub(super) fn beyond(&self, others: &[&Self]) -> Vec<String> {
        let mut allowed: Vec<&String> = others.iter().flat_map(|other| &other.0).collect();
        let mut beyond = Vec::new();
        for line in &self.0 {
            match allowed.iter().position(|other| *other == line) {
                Some(position) => drop(allowed.swap_remove(position)),
                None => beyond.push(line.clone()),
            }
        }
        beyond
    }

    /// Lines that differ, with `+` for those in this one and `-` for those in the other.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let only_here = self.beyond(&[other]).into_iter().map(|line| format!("+ {line}"));
        only_here.chain(other.beyond(&[self]).into_iter().map(|line| format!("- {line}"))).collect()
    }
}

fn entries(leaks: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let places = leaks.as_object().into_iter().flatten();
    places.flat_map(|(place, kinds)| {
        let kinds = kinds.as_object().into_iter().flatten();
        kinds.flat_map(move |(kind, entries)| {
            entries.as_array().into_iter().flatten().map(move |entry| (place.as_str(), kind.as_str(), entry))
        })
    })
}

/// A line for a resource, and one for its shared tags: an image without those is published all the same, and the next
/// bake adds them.
fn lines(place: &str, kind: &str, entry: &Value) -> Vec<String> {
    let tags = entry["tags"].as_object();
    // Values contain times, run IDs and image IDs; only the version must be right. A workflow adds more tags about
    // itself than a laptop.
    let where_baked = ["ami-bake:commit", "ami-bake:repository", "ami-bake:run-url"];
    let keys = tags.into_iter().flat_map(|tags| tags.keys().map(String::as_str));
    let keys = keys.filter(|key| !where_baked.contains(key));
    let (shared, keys): (BTreeSet<&str>, BTreeSet<&str>) = keys.partition(|key| key.starts_with("ec2:SharedTag/"));
    let version = entry["tags"]["ami-bake:version"].as_str().unwrap_or_default();
    let state = entry["state"].as_str().unwrap_or_default();
    let name = entry["name"].as_str().unwrap_or_default();
    let line =
        |keys: BTreeSet<&str>| format!("{place} {kind} {name} {state} {version} [{}]", Vec::from_iter(keys).join(" "));
    // A snapshot that was copied after its image was shared has these tags, too. Nobody reads them there.
    let shared = (kind == "images" && !shared.is_empty()).then(|| line(shared));
    [line(keys)].into_iter().chain(shared).collect()
}

struct OwnedImage<'a> {
    region: &'a str,
    name: &'a str,
}

/// Everything that refers to an image or an account.
fn pointers(fixture: &Fixture, images: &BTreeMap<&str, OwnedImage<'_>>) -> Vec<String> {
    let name = |id: &str| images.get(id).map_or("another image", |image| image.name).to_owned();
    let mut found = Vec::new();
    for (id, image) in images {
        let query = format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission");
        for account in elements(&ec2(fixture, image.region, &query), "userId") {
            found.push(format!("{} {} is shared with {account}", image.region, image.name));
        }
    }
    for region in [HOME, "eu-west-1"] {
        for (parameter, value) in parameters(fixture, region) {
            found.push(format!("{region} parameter {parameter} holds {}", name(&value)));
        }
    }
    found.extend(launch_templates(fixture, &name));
    found
}

/// Versions of templates by their images, since numbers differ after a rollback: the default, those in use by groups,
/// and the rest.
fn launch_templates(fixture: &Fixture, name: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    let mut used: Vec<(String, String)> = Vec::new();
    for group in groups(fixture) {
        used.extend(
            elements(&described(fixture, &group), "Version").into_iter().map(|version| (version, group.clone())),
        );
    }
    used.sort();
    used.dedup();
    for template in elements(&ec2(fixture, HOME, "Action=DescribeLaunchTemplates"), "launchTemplateId") {
        let answer = ec2(fixture, HOME, &format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={template}"));
        for version in answer.split("<item>").filter(|version| version.contains("<versionNumber>")) {
            let (number, image) = (element(version, "versionNumber"), name(&element(version, "imageId")));
            let groups = used.iter().filter(|(version, _)| *version == number);
            let mut users: Vec<String> = groups.map(|(_, group)| format!("group {group} on {image}")).collect();
            if element(version, "defaultVersion") == "true" {
                users.push(format!("template default is {image}"));
            }
            if users.is_empty() {
                users.push(format!("unused template version of {image}"));
            }
            found.extend(users.into_iter().map(|user| format!("{HOME} {user}")));
        }
    }
    found
}
