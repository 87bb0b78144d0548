//! Converts the parent image of a recipe.

use super::resource::Resource;
use crate::context::Context;
use crate::output::Draft;
use crate::template::Part;
use crate::yaml::{Map, Value};

/// Images managed by Amazon: name, owner, name pattern of the AMI, architecture.
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

/// The variable for a source image that must be set.
const VARIABLE: &str = "source-ami";

pub(super) fn read(recipe: &Resource, context: &Context, image: &mut Map, draft: &mut Draft) {
    let Some(parent) = recipe.get("parentImage") else { return required(image, draft) };
    let Some(words) = context.plain(&parent) else { return required(image, draft) };
    let known = words.known().unwrap_or_default();
    // Region and account in an ARN may only be known in the stack; only the image's name counts.
    let shape: String = words
        .0
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Expr(expr) => expr.known.as_deref().unwrap_or("?"),
        })
        .collect();
    let mut ami = Map::default();
    if known.starts_with("ami-") || (known.is_empty() && words.single().is_some()) {
        ami.set_from("id", words.manifest(), &parent);
    } else if known.starts_with('/') {
        // CloudFormation itself resolves parameters of the type `AWS::SSM::Parameter::Value<…>`.
        ami.set_from("parameter", words.manifest(), &parent);
    } else if let Some(path) = known.strip_prefix("ssm:") {
        let path = path.split_once(":parameter").map_or(path, |(_, path)| path);
        ami.set_from("parameter", path, &parent);
    } else if let Some((_, owner, name, architecture)) = managed(&shape) {
        ami.set_from("owner", *owner, &parent);
        ami.set_from("name", *name, &parent);
        ami.set_from("architecture", *architecture, &parent);
        parent.changed("Image Builder's managed image was replaced with a filter for its publisher's AMI name", "");
    } else {
        parent.changed(
            format!("`{shape}` can't be looked up: set the ID of the source image"),
            format!("Set it with `--set {VARIABLE}=ami-…`, or write `source` by hand."),
        );
        return required(image, draft);
    }
    image.within("source", |source| source.set("ami", ami));
}

fn managed(arn: &str) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    let name = arn.split_once(":aws:image/")?.1.split('/').next()?;
    MANAGED.iter().find(|(known, ..)| *known == name)
}

/// Declares a variable for the source image, which must be set.
pub(super) fn required(image: &mut Map, draft: &mut Draft) {
    let mut ami = Map::default();
    ami.set("id", format!("${{{{ vars.{VARIABLE} }}}}"));
    image.within("source", |source| source.set("ami", ami));
    draft.vars.set(VARIABLE, Value::Raw("null".to_owned()));
    draft.vars.comment(vec!["The source image.".to_owned()]);
}
