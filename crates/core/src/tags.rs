//! The tags that say what an image is (docs/dev/lifecycle.md, "Tags on image and snapshots").

use std::collections::BTreeMap;

/// The namespace: the manifest's `name`.
pub const NAME: &str = "ami-bake:name";
/// The image's key in the manifest.
pub const IMAGE: &str = "ami-bake:image";
/// The variant of its matrix.
pub const VARIANT: &str = "ami-bake:variant";
/// [`VARIANT`] under its name until version 0.1: images that have it are still found, and no new image gets it.
pub const LEGACY_VARIANT: &str = "ami-bake:leg";
/// The semantic version.
pub const VERSION: &str = "ami-bake:version";
/// Tag with the digest of everything that the image is made from.
pub const DIGEST: &str = "ami-bake:digest";
/// Tag with the time when the tests passed.
pub const TESTED: &str = "ami-bake:tested";
/// The source's id.
pub const SOURCE: &str = "ami-bake:source-ami";
/// The source's name.
pub const SOURCE_NAME: &str = "ami-bake:source-ami-name";
/// The source's owner.
pub const SOURCE_OWNER: &str = "ami-bake:source-ami-owner";
/// Tag with the creation time of the source.
pub const SOURCE_CREATED: &str = "ami-bake:source-ami-created";
/// The source's version, where ami-bake made it.
pub const BASE_VERSION: &str = "ami-bake:base-version";
/// The repository.
pub const REPOSITORY: &str = "ami-bake:repository";
/// The commit.
pub const COMMIT: &str = "ami-bake:commit";
/// The snapshot, in the home region, that a copy was made of.
pub const COPIED_FROM: &str = "ami-bake:copied-from";
/// The run that made it.
pub const RUN: &str = "ami-bake:run";
/// The address of the workflow run.
pub const RUN_URL: &str = "ami-bake:run-url";
/// When sweep may take it; taken off when the image is registered under its final name.
pub const EXPIRES: &str = "ami-bake:expires";

/// The variant that an image's tags name, under the new tag or the legacy one. An empty value counts as none.
pub fn variant(tags: &BTreeMap<String, String>) -> Option<&String> {
    [VARIANT, LEGACY_VARIANT].iter().find_map(|key| tags.get(*key)).filter(|variant| !variant.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tags_name_the_variant() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        for (pairs, expected) in [
            (&[("ami-bake:variant", "arm64")][..], Some("arm64")),
            (&[("ami-bake:leg", "arm64")], Some("arm64")),
            (&[("ami-bake:leg", "arm64"), ("ami-bake:variant", "arm64")], Some("arm64")),
            (&[("ami-bake:variant", "")], None),
            (&[], None),
        ] {
            assert_eq!(variant(&tags(pairs)).map(String::as_str), expected, "{pairs:?}");
        }
    }
}
