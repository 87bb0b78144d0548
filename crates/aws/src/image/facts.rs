//! Facts in EC2's description of an image: whether ami-bake created it, how it may be copied, and what a bake records
//! of it.

use std::collections::BTreeMap;

use ami_bake_core::plan::{Architecture, Digest, ImageKey, SourceImage};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::tags;
use aws_sdk_ec2::types::{ArchitectureValues, DeviceType, Image, ImageState, VirtualizationType};
use jiff::Timestamp;
use semver::Version;

use super::mapping::{self, Device};
use super::tags::tags_of;

/// Whether ami-bake registers snapshots, or EC2 creates the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaptureMethod {
    /// ami-bake does it: CreateSnapshots, RegisterImage.
    Snapshots,
    /// EC2 does it with CreateImage, which alone carries billing codes over.
    CreateImage,
}

/// The method for images built on this source: RegisterImage makes plain Linux images only (EC2 user guide, AMI billing
/// information), so sources with a billing or product code need CreateImage.
pub(crate) fn capture_method(source: &Image) -> CaptureMethod {
    let plain = is_plain_linux(source)
        && source.root_device_type().is_none_or(|kind| *kind == DeviceType::Ebs)
        && source.virtualization_type().is_none_or(|kind| *kind == VirtualizationType::Hvm);
    if plain { CaptureMethod::Snapshots } else { CaptureMethod::CreateImage }
}

/// True when the image's snapshots may be registered anew: plain Linux without product codes. The licenses of all
/// others are lost that way (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html>).
pub(crate) fn is_plain_linux(image: &Image) -> bool {
    image.product_codes().is_empty()
        && image.usage_operation().is_none_or(|operation| operation == "RunInstances")
        && image.platform_details().is_none_or(|details| details == "Linux/UNIX")
        && image.platform().is_none()
}

pub(super) fn architecture(image: &Image) -> Option<Architecture> {
    match image.architecture()? {
        ArchitectureValues::X8664 => Some(Architecture::X86_64),
        ArchitectureValues::Arm64 => Some(Architecture::Arm64),
        _ => None,
    }
}

/// The image as a source image.
pub(crate) fn source_image(image: &Image) -> SourceImage {
    let id = image.image_id().unwrap_or_default().to_owned();
    let tags = tags_of(image);
    SourceImage {
        name: image.name().unwrap_or_default().to_owned(),
        owner: image.owner_id().unwrap_or_default().to_owned(),
        created: image.creation_date().and_then(|date| date.parse::<Timestamp>().ok()),
        architecture: architecture(image),
        version: tags.get(tags::VERSION).and_then(|version| Version::parse(version).ok()),
        tags,
        identity: id.clone(),
        id,
    }
}

/// Image and variant according to the tags.
pub(crate) fn key(tags: &BTreeMap<String, String>) -> Option<ImageKey> {
    let variant = tags::variant(tags).cloned();
    Some(ImageKey { image: tags.get(tags::IMAGE)?.clone(), variant })
}

/// The image as a record; `None` when its tags do not identify an image of ami-bake.
pub(crate) fn record(image: &Image, region: &str) -> Option<ImageRecord> {
    let source = source_image(image);
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
        size: size(image),
        tags,
    })
}

/// The size of its volumes, which EC2 says in GiB.
fn size(image: &Image) -> Option<u64> {
    let volumes = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.volume_size());
    let sizes: Vec<u64> = volumes.filter_map(|size| u64::try_from(size).ok()).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum::<u64>() << 30)
}

/// The snapshots of the image's volumes.
pub(crate) fn snapshots(image: &Image) -> Vec<String> {
    mapping::of_image(image).iter().filter_map(Device::snapshot).map(str::to_owned).collect()
}

/// True for an image that passed its tests, published or not.
pub(crate) fn is_tested(image: &Image) -> bool {
    tags_of(image).contains_key(tags::TESTED)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::builders::ImageBuilder;
    use aws_sdk_ec2::types::{PlatformValues, ProductCode, Tag};

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

    #[test]
    fn licences_are_not_registered_away() {
        let plain = Image::builder().usage_operation("RunInstances").platform_details("Linux/UNIX");
        assert!(is_plain_linux(&plain.clone().build()));
        assert!(!is_plain_linux(&plain.clone().usage_operation("RunInstances:0010").build()));
        assert!(!is_plain_linux(&plain.clone().platform_details("Red Hat Enterprise Linux").build()));
        assert!(!is_plain_linux(&plain.platform(PlatformValues::Windows).build()));
    }

    fn plain() -> ImageBuilder {
        Image::builder()
            .usage_operation("RunInstances")
            .platform_details("Linux/UNIX")
            .root_device_type(DeviceType::Ebs)
            .virtualization_type(VirtualizationType::Hvm)
    }

    #[test]
    fn only_plain_linux_is_ours() {
        assert_eq!(capture_method(&plain().build()), CaptureMethod::Snapshots);
        for other in [
            plain().usage_operation("RunInstances:0010").platform_details("Red Hat Enterprise Linux"),
            plain().usage_operation("RunInstances:0g00").platform_details("Ubuntu Pro"),
            plain().platform(PlatformValues::Windows),
            plain().product_codes(ProductCode::builder().product_code_id("abc").build()),
            plain().root_device_type(DeviceType::InstanceStore),
            plain().virtualization_type(VirtualizationType::Paravirtual),
        ] {
            assert_eq!(capture_method(&other.build()), CaptureMethod::CreateImage);
        }
    }
}
