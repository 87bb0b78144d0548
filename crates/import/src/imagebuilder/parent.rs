//! The image that a recipe starts from.

use super::Resource;
use crate::context::Context;
use crate::output::Draft;
use crate::yaml::{Map, Value};

/// Amazon's managed images: name, owner, name of the AMI, architecture.
const MANAGED: [(&str, &str, &str, &str); 12] = [
    ("amazon-linux-2-x86", "amazon", "amzn2-ami-hvm-*-x86_64-gp2", "x86_64"),
    ("amazon-linux-2-arm64", "amazon", "amzn2-ami-hvm-*-arm64-gp2", "arm64"),
    ("amazon-linux-2023-x86", "amazon", "al2023-ami-2023.*-x86_64", "x86_64"),
    ("amazon-linux-2023-arm64", "amazon", "al2023-ami-2023.*-arm64", "arm64"),
    ("ubuntu-server-18-lts-x86", "099720109477", "ubuntu/images/*ubuntu-bionic-18.04-amd64-server-*", "x86_64"),
    ("ubuntu-server-18-lts-arm64", "099720109477", "ubuntu/images/*ubuntu-bionic-18.04-arm64-server-*", "arm64"),
    ("ubuntu-server-20-lts-x86", "099720109477", "ubuntu/images/*ubuntu-focal-20.04-amd64-server-*", "x86_64"),
    ("ubuntu-server-20-lts-arm64", "099720109477", "ubuntu/images/*ubuntu-focal-20.04-arm64-server-*", "arm64"),
    ("ubuntu-server-22-lts-x86", "099720109477", "ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*", "x86_64"),
    ("ubuntu-server-22-lts-arm64", "099720109477", "ubuntu/images/*ubuntu-jammy-22.04-arm64-server-*", "arm64"),
    ("ubuntu-server-24-lts-x86", "099720109477", "ubuntu/images/*ubuntu-noble-24.04-amd64-server-*", "x86_64"),
    ("ubuntu-server-24-lts-arm64", "099720109477", "ubuntu/images/*ubuntu-noble-24.04-arm64-server-*", "arm64"),
];

/// The variable of a source that must be given.
const GIVEN: &str = "source-ami";

pub(super) fn read(recipe: &Resource, context: &Context, image: &mut Map, draft: &mut Draft) {
    let Some(parent) = recipe.get("parentImage") else { return given(image, draft) };
    let Some(words) = context.plain(&parent) else { return given(image, draft) };
    let known = words.known().unwrap_or_default();
    let mut ami = Map::default();
    if known.starts_with("ami-") || (known.is_empty() && words.literal().is_none()) {
        ami.set_from("id", words.manifest(), &parent);
    } else if known.starts_with('/') {
        // CloudFormation reads the id behind a parameter of the type `AWS::SSM::Parameter::Value<…>` by itself.
        ami.set_from("parameter", words.manifest(), &parent);
    } else if let Some(path) = known.strip_prefix("ssm:") {
        let path = path.split_once(":parameter").map_or(path, |(_, path)| path);
        ami.set_from("parameter", path, &parent);
    } else if let Some((_, owner, name, architecture)) = managed(&known) {
        ami.set_from("owner", *owner, &parent);
        ami.set_from("name", *name, &parent);
        ami.set_from("architecture", *architecture, &parent);
        parent.changed("Image Builder's own image is looked for by the name that its publisher gives it", "");
    } else {
        parent.changed(
            format!("`{known}` is no image that could be looked for: its id must be given"),
            format!("Give it with `--set {GIVEN}=ami-…`, or write `source` by hand."),
        );
        return given(image, draft);
    }
    image.within("source", |source| source.set("ami", ami));
}

fn managed(arn: &str) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    let name = arn.split_once(":aws:image/")?.1.split('/').next()?;
    MANAGED.iter().find(|(known, ..)| *known == name)
}

/// A source that must be given.
pub(super) fn given(image: &mut Map, draft: &mut Draft) {
    let mut ami = Map::default();
    ami.set("id", format!("${{{{ vars.{GIVEN} }}}}"));
    image.within("source", |source| source.set("ami", ami));
    draft.vars.set(GIVEN, Value::Raw("null".to_owned()));
    draft.vars.comment(vec!["The image to start from.".to_owned()]);
}
