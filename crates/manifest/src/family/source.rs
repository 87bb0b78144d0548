//! Converts the source of a variant to a query of core.

use std::collections::{BTreeMap, HashMap};

use ami_bake_core::Route;
use ami_bake_core::plan::{Architecture, BakedQuery, ImageKey, SourceQuery};
use serde_json::{Map, Value};

use super::{Draft, disk, rootfs};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::Scope;
use crate::manifest::Manifest;
use crate::model::{AmiSource, ArchitectureChoice, PlatformSource, Source};
use crate::resolve::Resolver;
use crate::words;

type Variants = [(ImageKey, Map<String, Value>)];

/// All images with their variants.
pub(super) struct Family<'a> {
    images: HashMap<&'a str, &'a Variants>,
    names: Vec<&'a str>,
}

impl<'a> Family<'a> {
    pub(super) fn new(drafts: &'a [Draft]) -> Self {
        Self {
            images: drafts.iter().map(|draft| (draft.name.as_str(), draft.variants.as_slice())).collect(),
            names: drafts.iter().map(|draft| draft.name.as_str()).collect(),
        }
    }
}

/// The query for a variant's source, and the variant that must be baked first.
pub(super) fn query(
    manifest: &Manifest,
    image: &Draft,
    key: &ImageKey,
    matrix: &Map<String, Value>,
    scope: &Scope,
    family: &Family<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Option<(SourceQuery, Option<ImageKey>)> {
    let route = Route::root().key("images").key(image.name.as_str()).key("source");
    let Some(node) = image.node.get("source") else {
        findings.push(
            Diagnostic::error("missing-key", image.span, format!("the image `{}` has no `source`", image.name))
                .help("Add `source` with one entry per platform, or with `image` for another image of this manifest.")
                .route(route.parent()),
        );
        return None;
    };
    let span = image.node.entry("source").map_or(image.span, |entry| entry.key_span);
    let resolver = Resolver::plain(&manifest.sources, scope);
    let before = findings.len();
    let value = manifest.soften("source", resolver.at(node, &route, findings));
    let typed = serde_json::from_value::<Source>(value.clone());
    if typed.is_err() || resolver.has_shaped() {
        let whole = Value::Object(Map::from_iter([("source".to_owned(), value)]));
        manifest.validate_image(&image.node, &whole, &route.parent(), findings);
    }
    let source = match typed {
        Ok(source) if findings.len() == before => source,
        Err(error) if findings.len() == before => {
            findings.push(Diagnostic::error("source", span, format!("invalid source: {error}")).route(route));
            return None;
        }
        _ => return None,
    };
    if let Some(name) = &source.image {
        return baked(
            manifest,
            &source,
            name.as_str(),
            key,
            matrix,
            node.place(&Route::root().key("image")),
            family,
            findings,
        );
    }
    let query = match source.on(manifest.platform) {
        Ok(PlatformSource::Ami(ami)) => {
            self::ami(ami, node.entry("ami").map_or(span, |entry| entry.key_span), &route.key("ami"), findings)?
        }
        Ok(PlatformSource::RootFileSystem("host")) => SourceQuery::Reference("host".to_owned()),
        Ok(PlatformSource::RootFileSystem(path)) => {
            let full = manifest.folder.join(path);
            let at = node.place(&Route::root().key("local"));
            if full.exists() {
                findings.extend(rootfs::wrong(&full).map(|(why, help)| {
                    Diagnostic::error("wrong-file", at, format!("`{path}` {why}")).help(help).route(route.key("local"))
                }));
            } else {
                findings.push(
                    Diagnostic::error("no-such-file", at, format!("`{path}` not found"))
                        .help("`local` must be `host`, a root directory, or a tarball of one.")
                        .route(route.key("local")),
                );
            }
            SourceQuery::Reference(full.display().to_string())
        }
        Ok(PlatformSource::Reference(reference)) => SourceQuery::Reference(reference.to_owned()),
        Ok(PlatformSource::Disk(source)) => {
            let at = |key: &str| node.place(&Route::root().key("vm").key(key));
            disk::query(
                source,
                source.architecture.map(architecture),
                &manifest.folder,
                &at,
                &route.key("vm"),
                findings,
            )?
        }
        Err(example) => {
            let platform = manifest.platform.as_str();
            let message = format!("the image `{}` has no source for the platform `{platform}`", image.name);
            findings.push(
                Diagnostic::error("missing-source", span, message)
                    .help(format!(
                        "Add {example} below `source`, or exclude this platform with the image's `platforms`."
                    ))
                    .route(route),
            );
            return None;
        }
    };
    Some((query, None))
}

fn ami(ami: &AmiSource, span: Span, route: &Route, findings: &mut Vec<Diagnostic>) -> Option<SourceQuery> {
    let mut refuse = |message: &str, help: &str| {
        findings.push(Diagnostic::error("ami-source", span, message).help(help).route(route.clone()));
        None
    };
    match (&ami.id, &ami.name, &ami.parameter) {
        (Some(id), None, None) => Some(SourceQuery::Id(id.clone())),
        (None, None, Some(parameter)) => Some(SourceQuery::Parameter(parameter.clone())),
        (None, Some(name), None) => {
            let Some(owner) = ami.owner.as_ref().filter(|owner| !owner.0.is_empty()) else {
                return refuse(
                    "`name` needs an `owner`",
                    "Add `owner`, such as \"099720109477\" (Canonical) or `amazon`. Anyone can publish an image under any name.",
                );
            };
            Some(SourceQuery::Newest {
                owners: owner.0.iter().map(|owner| owner.0.clone()).collect(),
                name: name.clone(),
                architecture: ami.architecture.map(architecture),
                filters: ami
                    .filters
                    .0
                    .iter()
                    .map(|(name, values)| (name.clone(), values.0.clone()))
                    .collect::<BTreeMap<_, _>>(),
            })
        }
        (None, None, None) => refuse("no image is specified", "Add `id`, or `owner` and `name`, or `parameter`."),
        _ => refuse("the image is specified in more than one way", "Keep one of `id`, `name` and `parameter`."),
    }
}

pub(crate) fn architecture(choice: ArchitectureChoice) -> Architecture {
    match choice {
        ArchitectureChoice::X86_64 => Architecture::X86_64,
        ArchitectureChoice::Arm64 => Architecture::Arm64,
    }
}

#[allow(clippy::too_many_arguments)] // one call, each a fact of its own
fn baked(
    manifest: &Manifest,
    source: &Source,
    name: &str,
    key: &ImageKey,
    matrix: &Map<String, Value>,
    span: Span,
    family: &Family<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Option<(SourceQuery, Option<ImageKey>)> {
    let namespace = source.from.as_ref().map_or(manifest.namespace.as_str(), |from| from.as_str());
    let version = match source.version.as_ref().map(|range| ami_bake_core::version::range(range.as_str())).transpose() {
        Ok(version) => version,
        Err(error) => {
            let mut finding = Diagnostic::error("wrong-value", span, error.message());
            finding.help = error.help_text().map(str::to_owned);
            findings.push(finding);
            return None;
        }
    };
    if source.from.is_some() || version.is_some() {
        let key = ImageKey { image: name.to_owned(), variant: key.variant.clone() };
        return Some((
            SourceQuery::Baked(BakedQuery { namespace: namespace.to_owned(), key, version, sibling: false }),
            None,
        ));
    }
    let Some(variants) = family.images.get(name) else {
        let finding = Diagnostic::error("unknown-image", span, format!("the manifest has no image `{name}`"));
        findings.push(finding.help(match words::near(name, family.names.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "To use a published image, add `from: NAME` or a `version` range.".to_owned(),
        }));
        return None;
    };
    let fits = |values: &Map<String, Value>| values.iter().all(|(name, value)| matrix.get(name) == Some(value));
    let fitting: Vec<&ImageKey> = variants.iter().filter(|(_, values)| fits(values)).map(|(key, _)| key).collect();
    let [below] = fitting.as_slice() else {
        let message = if variants.is_empty() {
            format!("`{key}` has no source: the image `{name}` is not baked here")
        } else {
            format!("no variant of `{name}` matches the matrix values of `{key}`")
        };
        let help = if variants.is_empty() {
            "Check its `if` and `platforms`."
        } else {
            "Use the same values in the `matrix` of both images."
        };
        findings.push(Diagnostic::error("matrix", span, message).help(help));
        return None;
    };
    let query = BakedQuery { namespace: namespace.to_owned(), key: (*below).clone(), version: None, sibling: true };
    Some((SourceQuery::Baked(query), Some((*below).clone())))
}
