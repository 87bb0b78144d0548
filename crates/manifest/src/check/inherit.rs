//! Finds what an image drops silently: steps of `defaults` that it replaces, and a source that another one overrides.

use ami_bake_core::Route;

use crate::diagnostic::Diagnostic;
use crate::model::{Platform, PlatformSource};
use crate::tree::{Entry, Node};

/// Lists of actions, which people expect to be added to the defaults. Other lists are values that an image sets.
const LISTS: [&str; 4] = ["build", "validate", "test", "deploy"];

/// Reports dropped steps and sources for each image.
pub(crate) fn inherit(root: &Node, findings: &mut Vec<Diagnostic>) {
    let defaults = root.get("defaults");
    if let Some(defaults) = defaults {
        source(defaults, &Route::root().key("defaults"), findings);
    }
    for image in root.get("images").map(Node::entries).unwrap_or_default() {
        let route = Route::root().key("images").key(image.key.as_str());
        source(&image.value, &route, findings);
        for list in LISTS {
            let (Some(entry), Some(default)) =
                (image.value.entry(list), defaults.and_then(|defaults| defaults.get(list)))
            else {
                continue;
            };
            if !default.items().is_empty() && entry.value.to_json() != default.to_json() {
                findings.push(replaced(list, entry, &route));
            }
        }
    }
}

fn replaced(list: &str, entry: &Entry, route: &Route) -> Diagnostic {
    Diagnostic::note("defaults-replaced", entry.key_span, format!("`{list}` replaces `defaults.{list}`"))
        .help("Lists are not merged. Repeat the entries here, or put common steps into an image that this one is built on.")
        .route(route.key(list))
}

fn source(image: &Node, route: &Route, findings: &mut Vec<Diagnostic>) {
    let Some(source) = image.get("source").filter(|source| source.get("image").is_some()) else { return };
    for entry in Platform::ALL.into_iter().filter_map(|platform| source.entry(PlatformSource::key(platform))) {
        findings.push(
            Diagnostic::error("source", entry.key_span, format!("`{}` can't be combined with `image`", entry.key))
                .help("An image of this manifest is the source on every platform. Remove one of the two.")
                .route(route.key("source").key(entry.key.as_str())),
        );
    }
}
