//! Converts post-processors to `publish` settings.

use super::docker;
use crate::context::Context;
use crate::input::{Log, Reader};
use crate::packer::build::{Build, ImageDraft, Platform};
use crate::packer::model::BuildBlock;
use crate::packer::provisioner::applies;

/// Converts the post-processors of a builder for its image.
pub(in crate::packer) fn process(build: &Build, context: &Context, image: &mut ImageDraft, log: &Log) {
    let mut repository = docker::Repository::default();
    for post in &build.block.post_processors {
        let reader = Reader::new(&post.fields, log);
        if !reader.is_map() || !applies(&reader, context, &build.name) || build.platform != Platform::Docker {
            continue;
        }
        match post.kind.as_str() {
            "docker-tag" => docker::tag(&reader, &post.chain, context, &mut repository),
            "docker-import" => docker::import(&reader, &post.chain, context, image, &mut repository),
            "docker-push" => docker::push(&reader, &post.chain, context, &mut repository),
            _ => continue,
        }
        if let Some(kind) = reader.get("type") {
            kind.mark_used();
        }
    }
    docker::write(repository, build, image, log);
}

/// Post-processors that are not imported, and why.
const UNSUPPORTED: [(&[&str], &str, &str); 7] = [
    (
        &["manifest"],
        "every bake writes `bake-report.json` with the images and their IDs",
        "Read the IDs from that file instead; its format is different.",
    ),
    (&["checksum"], "a cloud image is not a file; the report has the digest of the image's inputs", ""),
    (&["compress", "artifice"], "a cloud image is not a file", ""),
    (
        &["shell-local"],
        "it runs on the computer that runs ami-bake",
        "Run it in the workflow after the bake; `bake-report.json` lists the images.",
    ),
    (&["vagrant", "vagrant-cloud", "atlas"], "Vagrant boxes are not supported", ""),
    (&["docker-save"], "images are pushed, not written to files", "Use `docker save` after the bake."),
    (&["amazon-import"], "images are made from machines, not imported from disks", ""),
];

/// Reports post-processors that are not imported; `names` are the Docker builders that are.
pub(in crate::packer) fn rest(block: &BuildBlock, names: &[&str], log: &Log) {
    for post in &block.post_processors {
        let reader = Reader::new(&post.fields, log);
        let kind = post.kind.as_str();
        if matches!(kind, "docker-tag" | "docker-push" | "docker-import") {
            if names.is_empty() || !reader.is_map() || docker::is_for_others(&post.fields, names) {
                reader.drop("no Docker image that it applies to was imported", "");
            }
            continue;
        }
        let known = UNSUPPORTED.iter().find(|(kinds, ..)| kinds.contains(&kind));
        let unknown = format!("the post-processor type `{kind}` is not supported");
        let (why, help) =
            known.map_or((unknown.as_str(), "Do this in the workflow after the bake."), |(_, why, help)| (why, help));
        reader.drop(why, help);
    }
}
