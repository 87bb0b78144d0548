//! EC2's description of an image, read as ours.

use std::collections::BTreeMap;

use ami_bake_core::plan::{Digest, ImageKey};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::tags;
use aws_sdk_ec2::types::{Image, ImageState};
use jiff::Timestamp;
use semver::Version;

use super::mapping;
use crate::source;

/// Image and variant by their tags.
pub(crate) fn key(tags: &BTreeMap<String, String>) -> Option<ImageKey> {
    let variant = tags::variant(tags).cloned();
    Some(ImageKey { image: tags.get(tags::IMAGE)?.clone(), variant })
}

/// The image as ours; none when its tags don't say which it is.
pub(crate) fn record(image: &Image, region: &str) -> Option<ImageRecord> {
    let source = source::describe(image);
    let tags = source.tags;
    Some(ImageRecord {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        region: Some(region.to_owned()),
        account: None,
        namespace: tags.get(tags::NAME)?.clone(),
        key: key(&tags)?,
        version: Version::parse(tags.get(tags::VERSION)?).ok()?,
        digest: Digest::from_text(tags.get(tags::DIGEST)?),
        tested: tags.get(tags::TESTED).and_then(|at| at.parse::<Timestamp>().ok()),
        created: source.created,
        available: image.state() == Some(&ImageState::Available),
        architecture: source.architecture,
        parts: snapshots(image),
        tags,
    })
}

/// The snapshots of its volumes.
pub(crate) fn snapshots(image: &Image) -> Vec<String> {
    mapping::of_image(image).iter().filter_map(mapping::Device::snapshot).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn image(tags: &[(&str, &str)]) -> Image {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        Image::builder().image_id("ami-1").state(ImageState::Available).set_tags(Some(tags)).build()
    }

    const CANDIDATE: [(&str, &str); 5] = [
        ("ami-bake:name", "shop"),
        ("ami-bake:image", "web"),
        ("ami-bake:variant", "arm64"),
        ("ami-bake:version", "1.2.3"),
        ("ami-bake:digest", "sha256:00"),
    ];

    #[test]
    fn tags_say_what_an_image_is() {
        let found = record(&image(&CANDIDATE), "eu-west-1").unwrap();
        assert_eq!((found.key.to_string().as_str(), found.version.to_string().as_str()), ("web-arm64", "1.2.3"));
        assert_eq!((found.tested, found.available), (None, true));
        let tested = [&CANDIDATE[..], &[("ami-bake:tested", "2026-11-20T08:00:00Z")]].concat();
        assert!(record(&image(&tested), "eu-west-1").unwrap().tested.is_some());
        assert_eq!(record(&image(&CANDIDATE[..3]), "eu-west-1"), None);
    }

    #[test]
    fn an_image_of_another_account_is_read_by_its_shared_tags() {
        let shared: Vec<(String, &str)> = CANDIDATE
            .iter()
            .map(|(key, value)| (key.replace("ami-bake:", "ec2:SharedTag/ami-bake/"), *value))
            .collect();
        let shared: Vec<(&str, &str)> = shared.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let found = record(&image(&shared), "eu-west-1").unwrap();
        assert_eq!((found.namespace.as_str(), found.digest.as_str()), ("shop", "sha256:00"));
        assert_eq!(found.key.to_string(), "web-arm64");
    }

    #[test]
    fn an_image_of_before_the_rename_keeps_its_variant() {
        for legacy in ["ami-bake:leg", "ec2:SharedTag/ami-bake/leg"] {
            let mut tags = CANDIDATE;
            tags[2].0 = legacy;
            assert_eq!(record(&image(&tags), "eu-west-1").unwrap().key.to_string(), "web-arm64", "{legacy}");
        }
    }
}
