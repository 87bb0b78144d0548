//! Expands the images of a manifest into variants: merges defaults, expands matrices, sorts into build order.

mod disk;
mod matrix;
mod order;
mod rootfs;
mod run_defaults;
mod source;

use std::borrow::Cow;

use ami_bake_core::Route;
use ami_bake_core::plan::{ImageKey, SourceQuery};
use serde_json::{Map, Value};

use crate::budget::{Budget, STEP};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::Scope;
use crate::manifest::{ImageEntry, Manifest, VariantEntry};
use crate::model::{Platform, PlatformSource};
use crate::resolve::Resolver;
use crate::tree::{Kind, Node};
use crate::words;

/// An image before the sources of its variants are known.
struct Draft {
    name: String,
    /// Span of the image's name.
    span: Span,
    node: Node,
    variants: Vec<(ImageKey, Map<String, Value>)>,
}

/// Minimum cost of a variant, in values.
const IMAGE: usize = 100;

/// The error for a file that would take too long.
pub(crate) fn too_many(span: Span) -> Diagnostic {
    Diagnostic::error(
        "too-large",
        span,
        "the images, their matrices and the environments have too many values together",
    )
    .help("Split the manifest into several files.")
}

/// Fills in `Manifest::images`.
pub(crate) fn expand(manifest: &mut Manifest, budget: &Budget, findings: &mut Vec<Diagnostic>) {
    let defaults = manifest.root.get("defaults").cloned();
    let entries = manifest.root.get("images").map(Node::entries).unwrap_or_default().to_vec();
    let mut drafts = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut node = match &defaults {
            Some(defaults) => {
                let defaults = without_base(defaults, &entry.value, manifest.platform);
                Node { span: entry.value.span, ..defaults.merged(&entry.value) }
            }
            None => entry.value,
        };
        run_defaults::apply(&mut node);
        let variants = variants(manifest, &entry.key, &node, findings);
        if budget.spend_each(variants.len().max(1) * (IMAGE + node.size()), STEP).is_err() {
            findings.push(too_many(entry.key_span));
            return;
        }
        drafts.push(Draft { name: entry.key, span: entry.key_span, node, variants });
    }
    let family = source::Family::new(&drafts);
    for draft in &drafts {
        let mut entry = ImageEntry { name: draft.name.clone(), node: draft.node.clone(), variants: Vec::new() };
        for (key, matrix) in &draft.variants {
            let scope = variant_scope(manifest, key, matrix);
            let found = source::query(manifest, draft, key, matrix, &scope, &family, findings);
            let (source, after) = found.unwrap_or_else(|| (SourceQuery::Reference(String::new()), None));
            entry.variants.push(VariantEntry {
                key: key.clone(),
                matrix: matrix.clone(),
                source,
                after,
                selected: false,
            });
        }
        manifest.images.push(entry);
    }
    order::sort(manifest, findings);
    select(manifest, findings);
}

/// The defaults for an image. If the image has a source for this platform, the default base image is removed from them.
fn without_base<'a>(defaults: &'a Node, image: &Node, platform: Platform) -> Cow<'a, Node> {
    let own = image.get("source");
    let key = PlatformSource::key(platform);
    if own.is_none_or(|own| own.get(key).is_none() || own.get("image").is_some()) {
        return Cow::Borrowed(defaults);
    }
    let mut defaults = defaults.clone();
    if let Kind::Map(entries) = &mut defaults.kind
        && let Some(source) = entries.iter_mut().find(|entry| entry.key == "source")
        && let Kind::Map(entries) = &mut source.value.kind
    {
        entries.retain(|entry| !["image", "from", "version"].contains(&entry.key.as_str()));
    }
    Cow::Owned(defaults)
}

/// The scope for a variant's expressions before its source is found.
pub(crate) fn variant_scope(manifest: &Manifest, key: &ImageKey, matrix: &Map<String, Value>) -> Scope {
    let mut scope = manifest.scope.clone();
    scope.set("image", key.image.as_str());
    scope.set("matrix", matrix.clone());
    scope
}

/// The variants of an image that are baked on this platform.
fn variants(
    manifest: &Manifest,
    name: &str,
    node: &Node,
    findings: &mut Vec<Diagnostic>,
) -> Vec<(ImageKey, Map<String, Value>)> {
    let route = Route::root().key("images").key(name);
    let platform = manifest.platform.as_str();
    if let Some(platforms) = node.get("platforms")
        && !platforms.items().iter().any(|item| item.as_text() == Some(platform))
    {
        return Vec::new();
    }
    let mut variants = matrix::combinations(manifest, name, node.get("matrix"), &route.key("matrix"), findings);
    variants.retain(|(key, matrix)| {
        let scope = variant_scope(manifest, key, matrix);
        Resolver::plain(&manifest.sources, &scope).condition(node.get("if"), &route.key("if"), findings)
    });
    variants
}

/// Marks the images that `--image` selects, and their bases if any of them is to be baked.
fn select(manifest: &mut Manifest, findings: &mut Vec<Diagnostic>) {
    let wanted = manifest.options.images.clone();
    let alone = manifest.options.alone;
    let mut keys: Vec<ImageKey> = Vec::new();
    for name in &wanted {
        let variants = manifest.images.iter().flat_map(|image| &image.variants);
        let named: Vec<ImageKey> = variants
            .filter(|variant| &variant.key.image == name || &variant.key.to_string() == name)
            .map(|variant| variant.key.clone())
            .collect();
        if named.is_empty() {
            let known: Vec<String> = manifest.images.iter().map(|image| image.name.clone()).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let finding =
                Diagnostic::error("unknown-image", None, format!("the manifest has no image `{name}` to bake here"));
            findings.push(finding.help(match words::near(name, known.iter().copied()) {
                Some(near) => format!("Did you mean `--image {near}`?"),
                None => format!("Available: {}.", words::list(&known, "and")),
            }));
        }
        keys.extend(named);
    }
    if wanted.is_empty() {
        for variant in manifest.images.iter_mut().flat_map(|image| &mut image.variants) {
            variant.selected = true;
        }
        return;
    }
    while let Some(key) = keys.pop() {
        let variant =
            manifest.images.iter_mut().flat_map(|image| &mut image.variants).find(|variant| variant.key == key);
        if let Some(variant) = variant.filter(|variant| !variant.selected) {
            variant.selected = true;
            keys.extend(variant.after.clone().filter(|_| !alone));
        }
    }
}
