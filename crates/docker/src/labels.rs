//! Labels: image tags are stored as labels, and labels mark the containers of bakes.

use std::collections::{BTreeMap, HashMap};

use ami_bake_core::tags;

/// Label of a machine: the container's own name. A container that somebody starts from a baked image inherits the
/// image's labels, but not the name, so that `sweep` does not take it for a machine.
pub(crate) const MACHINE: &str = "ami-bake:machine";
/// Label of a machine: its purpose.
pub(crate) const ABOUT: &str = "ami-bake:about";
/// Label of an image: its reference. An image without that reference is only a layer of other images.
pub(crate) const REFERENCE: &str = "ami-bake:reference";

const PREFIX: &str = "ami-bake:";

/// The labels of an image with these tags, committed from a container with the labels `inherited`.
///
/// A commit can set a label but not remove one, so labels that the image must not inherit are set to an empty text, and an
/// empty label counts as missing.
pub(crate) fn of_image(
    inherited: &HashMap<String, String>,
    tags: &BTreeMap<String, String>,
    own: &[(String, String)],
    reference: &str,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> =
        inherited.keys().filter(|key| key.starts_with(PREFIX)).map(|key| (key.clone(), String::new())).collect();
    labels.extend(own.iter().cloned());
    labels.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    labels.insert(REFERENCE.to_owned(), reference.to_owned());
    labels
}

/// An image's tags.
pub(crate) fn tags(labels: &HashMap<String, String>) -> BTreeMap<String, String> {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The time after which `sweep` may delete the image or container.
pub(crate) fn expires(labels: &BTreeMap<String, String>) -> Option<jiff::Timestamp> {
    labels.get(tags::EXPIRES)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_source_are_not_inherited() {
        let map = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let inherited =
            map(&[("ami-bake:expires", "2026"), ("ami-bake:variant", "arm64"), ("team", "base"), ("x", "y")]);
        let ours = BTreeMap::from([("ami-bake:name".to_owned(), "shop".to_owned())]);
        let labels = of_image(&inherited, &ours, &[("team".into(), "web".into())], "shop/web:1");
        let expected = [("ami-bake:name", "shop"), ("ami-bake:reference", "shop/web:1"), ("team", "web")];
        let expected: BTreeMap<String, String> =
            expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(tags(&labels), expected);
        assert_eq!(labels.get("ami-bake:expires").map(String::as_str), Some(""));
    }
}
