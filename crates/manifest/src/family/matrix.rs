//! Expands a matrix.

use ami_bake_core::Route;
use ami_bake_core::plan::ImageKey;
use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::expression::text;
use crate::manifest::Manifest;
use crate::resolve::Resolver;
use crate::tree::Node;

/// Maximum number of variants; more are most likely a mistake.
const MOST_VARIANTS: usize = 256;

/// The key and the values of each combination, in the order of the manifest.
pub(super) fn combinations(
    manifest: &Manifest,
    name: &str,
    matrix: Option<&Node>,
    route: &Route,
    findings: &mut Vec<Diagnostic>,
) -> Vec<(ImageKey, Map<String, Value>)> {
    let mut all: Vec<Map<String, Value>> = vec![Map::new()];
    for entry in matrix.map(Node::entries).unwrap_or_default() {
        let resolver = Resolver::plain(&manifest.sources, &manifest.scope);
        let values = resolver.at(&entry.value, &route.key(entry.key.as_str()), findings);
        let values = match values {
            Value::Array(values) => values,
            one => vec![one],
        };
        if all.len().saturating_mul(values.len()) > MOST_VARIANTS {
            findings.push(
                Diagnostic::error(
                    "matrix",
                    entry.key_span,
                    format!("the matrix of `{name}` has more than {MOST_VARIANTS} combinations"),
                )
                .help("Remove values, or split the image."),
            );
            return Vec::new();
        }
        all = all
            .iter()
            .flat_map(|before| {
                values.iter().map(|value| {
                    let mut with = before.clone();
                    with.insert(entry.key.clone(), value.clone());
                    with
                })
            })
            .collect();
    }
    all.into_iter()
        .map(|values| {
            let words: Vec<String> = values.values().filter_map(text).collect();
            let variant = (!words.is_empty()).then(|| words.join("-"));
            (ImageKey { image: name.to_owned(), variant }, values)
        })
        .collect()
}
