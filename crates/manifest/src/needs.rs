//! Which variables and secrets must be set for the selected images. Images that are not baked need none.

use std::collections::BTreeSet;

use crate::expression::{Expr, Piece, Template};
use crate::manifest::Manifest;
use crate::tree::{Kind, Meaning, Node};

/// Keys that belong to single images, or only declare names.
const APART: [&str; 5] = ["defaults", "environments", "images", "secrets", "vars"];

/// Keys of an image that are read without a bake, to publish and deploy an existing image.
const AFTERWARDS: [&str; 2] = ["publish", "deploy"];

/// What a run does with the selected images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Builds, tests and publishes them.
    Bake,
    /// Publishes and deploys images that exist: runs no steps.
    Publish,
}

impl Manifest {
    /// The secrets that must be set for the selected images: those read as `${{ secrets.NAME || '' }}` may be unset.
    pub fn required_secrets(&self, task: Task) -> Vec<&str> {
        self.secrets.iter().map(String::as_str).filter(|name| secret(self, name, task, false)).collect()
    }

    /// The declared secrets that the selected images read, including those that may be unset.
    pub fn used_secrets(&self, task: Task) -> Vec<&str> {
        self.secrets.iter().map(String::as_str).filter(|name| secret(self, name, task, true)).collect()
    }
}

/// Whether a variable without a value must be set: a selected image or the file's own settings use it, or nothing does.
pub(crate) fn variable(manifest: &Manifest, name: &str) -> bool {
    let uses = |node: &Node, platform: Option<&str>| {
        let mut found = false;
        expressions(platform, node, "", &mut |expr| {
            expr.accesses(&mut |access| found |= is(access.member(), "vars", name));
        });
        found
    };
    let settings = manifest.root.entries().iter().filter(|entry| !APART.contains(&entry.key.as_str()));
    let here = Some(manifest.platform.as_str());
    settings.map(|entry| &entry.value).any(|node| uses(node, here))
        || selected(manifest).any(|node| uses(node, here))
        || !all(manifest).any(|node| uses(node, None))
}

/// Keys of an image whose values are in its digest, at least in part.
const IN_DIGEST: [&str; 5] = ["build", "machine", "seal", "test", "validate"];
/// The same below `publish`.
const PUBLISHED_IN_DIGEST: [&str; 2] = ["docker", "imds"];

/// The variables by name that the digest of an image may depend on.
pub(crate) fn variables_in_digest(image: &Node) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let own = image.entries().iter().filter(|entry| IN_DIGEST.contains(&entry.key.as_str()));
    let published = image.get("publish").map(Node::entries).unwrap_or_default().iter();
    let published = published.filter(|entry| PUBLISHED_IN_DIGEST.contains(&entry.key.as_str()));
    for entry in own.chain(published) {
        expressions(None, &entry.value, &entry.key, &mut |expr| {
            expr.accesses(&mut |access| {
                let member = access.member().filter(|(context, _)| context.eq_ignore_ascii_case("vars"));
                names.extend(member.map(|(_, name)| name.to_lowercase()));
            });
        });
    }
    names
}

/// Whether a secret must be set: a selected image reads it and does not allow an empty value (with `optional`: reads it
/// at all), or nothing reads it by name, so that only a step can.
fn secret(manifest: &Manifest, name: &str, task: Task, optional: bool) -> bool {
    let uses = |node: &Node, key: &str, platform: Option<&str>| {
        let mut found = false;
        let counts = |required: bool| required || optional || platform.is_none();
        expressions(platform, node, key, &mut |expr| {
            found |= expr.secret().is_some_and(|(own, required)| own.eq_ignore_ascii_case(name) && counts(required));
        });
        found
    };
    let here = Some(manifest.platform.as_str());
    match task {
        Task::Bake => {
            selected(manifest).any(|node| uses(node, "", here)) || !all(manifest).any(|node| uses(node, "", None))
        }
        Task::Publish => selected(manifest)
            .flat_map(Node::entries)
            .filter(|entry| AFTERWARDS.contains(&entry.key.as_str()))
            .any(|entry| uses(&entry.value, &entry.key, here)),
    }
}

fn is(member: Option<(&str, &str)>, context: &str, name: &str) -> bool {
    member.is_some_and(|(own, member)| own.eq_ignore_ascii_case(context) && member.eq_ignore_ascii_case(name))
}

fn all(manifest: &Manifest) -> impl Iterator<Item = &Node> {
    manifest.images.iter().map(|image| &image.node)
}

fn selected(manifest: &Manifest) -> impl Iterator<Item = &Node> {
    let images = manifest.images.iter();
    images.filter(|image| image.variants.iter().any(|variant| variant.selected)).map(|image| &image.node)
}

/// Calls `visit` with every expression in the value of a key that applies to the platform; without a platform, in all.
fn expressions(platform: Option<&str>, node: &Node, key: &str, visit: &mut dyn FnMut(&Expr)) {
    match &node.kind {
        Kind::Map(entries) => {
            let elsewhere =
                |list: &Node| platform.is_some() && !list.items().iter().any(|item| item.as_text() == platform);
            if node.get("platforms").is_some_and(elsewhere) {
                return;
            }
            for entry in entries {
                // `publish.docker` and `source.docker` only apply to Docker.
                let elsewhere = platform.is_some_and(|platform| platform != "docker");
                if elsewhere && entry.key == "docker" && matches!(key, "publish" | "source") {
                    continue;
                }
                match entry.value.as_text().filter(|text| entry.key == "if" && !Template::is_one(text)) {
                    Some(text) => parsed(Template::condition(text), visit),
                    None => expressions(platform, &entry.value, &entry.key, visit),
                }
            }
        }
        Kind::List(items) => items.iter().for_each(|item| expressions(platform, item, key, visit)),
        Kind::Scalar(scalar) if scalar.meaning == Meaning::Text && Template::is_one(&scalar.text) => {
            parsed(Template::parse(&scalar.text), visit);
        }
        Kind::Scalar(_) => {}
    }
}

/// Visits a parsed template. Errors in expressions have been reported before.
fn parsed<E>(template: Result<Template, E>, visit: &mut dyn FnMut(&Expr)) {
    for piece in template.map(|template| template.pieces).unwrap_or_default() {
        if let Piece::Expr { expr, .. } = piece {
            visit(&expr);
        }
    }
}
