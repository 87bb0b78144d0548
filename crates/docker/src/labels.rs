//! Labels: an image's tags, and what says that a container is a machine of ours.

use std::collections::{BTreeMap, HashMap};

use ami_bake_core::tags;

/// On a machine: its own name. A container that somebody starts from an image of ours inherits the image's labels, but
/// not the name, so that no sweep takes it for a machine.
pub(crate) const MACHINE: &str = "ami-bake:machine";
/// On a machine: what it is for.
pub(crate) const ABOUT: &str = "ami-bake:about";
/// On an image: the reference under which it is an image of ours. Without that reference it is a layer of others.
pub(crate) const REFERENCE: &str = "ami-bake:reference";

const OURS: &str = "ami-bake:";

/// The labels of an image with these tags, made from a container with the labels `below`.
///
/// A commit can set a label but not take one away, so that what the image must not inherit is set to nothing, and an
/// empty label counts as none.
pub(crate) fn of_image(
    below: &HashMap<String, String>,
    tags: &BTreeMap<String, String>,
    own: &[(String, String)],
    reference: &str,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> =
        below.keys().filter(|key| key.starts_with(OURS)).map(|key| (key.clone(), String::new())).collect();
    labels.extend(own.iter().cloned());
    labels.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    labels.insert(REFERENCE.to_owned(), reference.to_owned());
    labels
}

/// An image's tags.
pub(crate) fn tags(labels: &HashMap<String, String>) -> BTreeMap<String, String> {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// When sweep may take it.
pub(crate) fn expires(labels: &BTreeMap<String, String>) -> Option<jiff::Timestamp> {
    labels.get(tags::EXPIRES)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_was_is_not_inherited() {
        let map = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let below = map(&[("ami-bake:expires", "2026"), ("ami-bake:variant", "arm64"), ("team", "base"), ("x", "y")]);
        let ours = BTreeMap::from([("ami-bake:name".to_owned(), "shop".to_owned())]);
        let labels = of_image(&below, &ours, &[("team".into(), "web".into())], "shop/web:1");
        let expected = [("ami-bake:name", "shop"), ("ami-bake:reference", "shop/web:1"), ("team", "web")];
        let expected: BTreeMap<String, String> =
            expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(tags(&labels), expected);
        assert_eq!(labels.get("ami-bake:expires").map(String::as_str), Some(""));
    }
}
