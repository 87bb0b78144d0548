//! Post-processors.

mod docker;

use super::build::{Build, Image, Platform};
use super::provisioner;
use crate::context::Context;
use crate::input::Reader;
use crate::json::Kind;

/// Reads the post-processors of a builder into its image.
pub(super) fn process(template: &Reader, build: &Build, context: &Context, image: &mut Image) {
    let mut repository = docker::Repository::default();
    for reader in all(template) {
        if !reader.is_map() || !provisioner::applies(&reader, context, &build.name) {
            continue;
        }
        let kind = reader.get("type").and_then(|kind| kind.text()).unwrap_or_default();
        let docker = build.platform == Platform::Docker;
        match kind {
            "docker-tag" if docker => docker::tag(&reader, context, &mut repository),
            "docker-import" if docker => docker::import(&reader, context, image, &mut repository),
            "docker-push" if docker => docker::push(&reader, context, &mut repository),
            _ => {}
        }
    }
    docker::write(repository, template, build, image);
}

/// Every post-processor, those in chains too.
fn all<'a>(template: &Reader<'a>) -> Vec<Reader<'a>> {
    let mut all = Vec::new();
    for entry in template.get("post-processors").iter().flat_map(Reader::items) {
        if entry.is_list() {
            all.extend(entry.items());
        } else {
            all.push(entry);
        }
    }
    all
}

/// Why post-processors stay behind.
const LEFT: [(&[&str], &str, &str); 7] = [
    (
        &["manifest"],
        "every bake writes `bake-report.json`, with the images and their ids",
        "Read the ids from there instead; its format is another one.",
    ),
    (&["checksum"], "an image in a cloud is no file; the report holds the digest of what it was made from", ""),
    (&["compress", "artifice"], "an image in a cloud is no file", ""),
    (
        &["shell-local"],
        "it runs on the computer that bakes",
        "Run it in the workflow behind the bake; `bake-report.json` says what was made.",
    ),
    (&["vagrant", "vagrant-cloud", "atlas"], "no boxes are made", ""),
    (&["docker-save"], "images are pushed, never written to files", "Use `docker save` behind the bake."),
    (&["amazon-import"], "images are made by machines, never imported from disks", ""),
];

/// Tells of post-processors that stay behind.
pub(super) fn rest(template: &Reader, names: &[&str]) {
    for reader in all(template) {
        let kind = match &reader.node.kind {
            Kind::Text(name) => name.clone(),
            _ => reader.get("type").and_then(|kind| kind.text()).unwrap_or_default().to_owned(),
        };
        if matches!(kind.as_str(), "docker-tag" | "docker-push" | "docker-import") {
            if names.is_empty() || !reader.is_map() || docker::is_left(&reader, names) {
                reader.drop("there is no docker image that came over for it", "");
            }
            continue;
        }
        let known = LEFT.iter().find(|(kinds, ..)| kinds.contains(&kind.as_str()));
        let unknown = format!("there is no counterpart for post-processors of the type `{kind}`");
        let (why, help) =
            known.map_or((unknown.as_str(), "Do it in the workflow behind the bake."), |(_, why, help)| (why, help));
        reader.drop(why, help);
    }
}
