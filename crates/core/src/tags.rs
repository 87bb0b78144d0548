//! The tags of an image (docs/dev/lifecycle.md, "Tags on image and snapshots").

use std::collections::BTreeMap;

/// Tag with the namespace: the manifest's `name`.
pub const NAME: &str = "ami-bake:name";
/// Tag with the image's key in the manifest.
pub const IMAGE: &str = "ami-bake:image";
/// Tag with the variant of the image's matrix.
pub const VARIANT: &str = "ami-bake:variant";
/// The name of [`VARIANT`] until version 0.1: images with this tag are still found, and no new image gets it.
pub const LEGACY_VARIANT: &str = "ami-bake:leg";
/// Tag with the semantic version.
pub const VERSION: &str = "ami-bake:version";
/// Tag with the digest of everything that the image is made from.
pub const DIGEST: &str = "ami-bake:digest";
/// Tag with a short hash of each part of the digest ([`crate::plan::DigestParts`]).
pub const INPUTS: &str = "ami-bake:inputs";
/// Tag with the time when the tests passed.
pub const TESTED: &str = "ami-bake:tested";
/// Tag of an image that was tested in another way than by a login: `none` (`test-connect`).
pub const TEST_CONNECT: &str = "ami-bake:test-connect";
/// Tag with the source's ID.
pub const SOURCE: &str = "ami-bake:source-ami";
/// Tag with the source's name.
pub const SOURCE_NAME: &str = "ami-bake:source-ami-name";
/// Tag with the source's owner.
pub const SOURCE_OWNER: &str = "ami-bake:source-ami-owner";
/// Tag with the creation time of the source.
pub const SOURCE_CREATED: &str = "ami-bake:source-ami-created";
/// Tag with the source's version, if ami-bake created it.
pub const BASE_VERSION: &str = "ami-bake:base-version";
/// Tag with the repository.
pub const REPOSITORY: &str = "ami-bake:repository";
/// Tag with the commit.
pub const COMMIT: &str = "ami-bake:commit";
/// Tag with the snapshot, in the home region, that a copy was made from.
pub const COPIED_FROM: &str = "ami-bake:copied-from";
/// Tag with the ID of the run that created the resource.
pub const RUN: &str = "ami-bake:run";
/// Tag with the URL of the workflow run.
pub const RUN_URL: &str = "ami-bake:run-url";
/// Tag with the time after which sweep may delete the resource; removed when the image is registered under its final
/// name.
pub const EXPIRES: &str = "ami-bake:expires";

/// Prefix of the tags that name the environments which publish the image, one tag each:
/// `ami-bake:environment/production`. The values are empty.
pub const ENVIRONMENT: &str = "ami-bake:environment/";

/// The environments that publish an image, by its tags.
pub fn environments(tags: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    tags.keys().filter_map(|key| key.strip_prefix(ENVIRONMENT))
}

/// The variant in an image's tags, from the current or the legacy tag. An empty value counts as none.
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
