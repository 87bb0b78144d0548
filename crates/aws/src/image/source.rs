//! Finds the source image of a bake, and caches its description for the launch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::plan::{Architecture, BakedQuery, DiskQuery, SourceImage, SourceQuery};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{
    ArchitectureValues, DeviceType, Filter, Image, ImageState, PlatformValues, VirtualizationType,
};
use semver::Version;

use super::facts::{architecture, source_image};
use super::images::Images;
use super::list::{Scope, describe_in};
use super::tags::{shared_key, tags_of};
use crate::client::{Client, filter, one_of};

/// Time after which a registered image is visible everywhere.
const VISIBLE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(1);

/// Finds the image for `query`.
pub(crate) async fn find_source(images: &Images, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
    let found = run.until_cancelled(Box::pin(look_up(&images.client, query)));
    let image = match query {
        SourceQuery::Newest { .. } | SourceQuery::Parameter(_) => {
            images.descriptions.by_query.get(format!("{query:?}"), async { found.await? }).await?
        }
        _ => found.await??,
    };
    bakeable(&image, images.client.region())?;
    let found = source_image(&image);
    images.descriptions.keep(image);
    Ok(found)
}

/// The description of an image, from the cache if possible. An image that is not cached was just registered, so it may
/// not be visible everywhere yet.
pub(crate) async fn described(images: &Images, run: &Run, id: &str) -> Result<Arc<Image>> {
    if let Some(image) = images.descriptions.get(id) {
        return Ok(image);
    }
    let start = run.clock().elapsed();
    let listed = async {
        loop {
            if let Some(image) = by_id(&images.client, id).await? {
                return Ok(images.descriptions.keep(image));
            }
            if run.clock().elapsed().saturating_sub(start) >= VISIBLE {
                return Err(missing(&images.client, id));
            }
            run.sleep(PAUSE).await?;
        }
    };
    run.waiting(&format!("EC2 to list the image {id}"), listed).await
}

async fn look_up(client: &Client, query: &SourceQuery) -> Result<Image> {
    match query {
        SourceQuery::Id(id) => existing(client, id).await,
        SourceQuery::Newest { owners, name, architecture, filters } => {
            newest(client, owners, name, *architecture, filters).await
        }
        SourceQuery::Parameter(path) => by_parameter(client, path).await,
        SourceQuery::Baked(query) => baked(client, query).await,
        SourceQuery::Reference(reference) | SourceQuery::Disk(DiskQuery { location: reference, .. }) => {
            Err(Error::manifest(format!("{reference:?} is not a valid source on AWS"))
                .help("Use `source: {ami: {id: ami-…}}`, `owner` and `name`, or `parameter`."))
        }
    }
}

/// The image as this account sees it; `None` if it sees none with this ID.
pub(crate) async fn by_id(client: &Client, id: &str) -> Result<Option<Image>> {
    if !id.starts_with("ami-") {
        return Ok(None);
    }
    let request = client.ec2.describe_images().image_ids(id).include_deprecated(true).send();
    match client.ask("DescribeImages", request).await {
        Ok(answer) => Ok(answer.images.unwrap_or_default().pop()),
        Err(failure) if failure.not_found() || failure.is(&["InvalidAMIID.Malformed"]) => Ok(None),
        Err(failure) => Err(client.explain(*failure, &format!("look up the image {id}")).await),
    }
}

async fn existing(client: &Client, id: &str) -> Result<Image> {
    by_id(client, id).await?.ok_or_else(|| missing(client, id))
}

fn missing(client: &Client, id: &str) -> Error {
    Error::preflight(format!("image {id} not found in {}, or not shared with this account", client.region())).help(
        "Image IDs differ between regions, and a private image must be shared with this account. Use `owner` \
         and `name` to find the newest image in any region.",
    )
}

async fn newest(
    client: &Client,
    owners: &[String],
    name: &str,
    architecture: Option<Architecture>,
    further: &BTreeMap<String, Vec<String>>,
) -> Result<Image> {
    // The manifest's name is a pattern.
    let mut filters = vec![one_of("name", [name]), filter("state", "available")];
    filters.extend(architecture.map(|architecture| filter("architecture", architecture.as_str())));
    filters.extend(further.iter().map(|(key, values)| one_of(key, values)));
    let doing = format!("find the newest image {name} of {}", owners.join(", "));
    let images = describe_in(client, Scope::OwnedBy(owners), &filters, &doing).await?;
    // RFC 3339 in UTC with fixed width: text order is time order. With equal times the ID decides.
    images
        .into_iter()
        .filter(|image| image.state() == Some(&ImageState::Available) && !is_passing(image))
        .max_by(|a, b| (a.creation_date(), a.image_id()).cmp(&(b.creation_date(), b.image_id())))
        .ok_or_else(|| {
            let kind = architecture.map_or(String::new(), |architecture| format!(" for {}", architecture.as_str()));
            Error::preflight(format!("no image of {} matches {name}{kind} in {}", owners.join(" or "), client.region()))
                .help(
                    "Names may contain `*` and `?`. Deprecated images are ignored. An owner is an account ID, `self`, \
                 `amazon` or `aws-marketplace`.",
                )
        })
}

/// True for an image that a bake made for itself and that has an expiry: a candidate, or a copy of a source.
fn is_passing(image: &Image) -> bool {
    let all = tags_of(image);
    all.contains_key(tags::EXPIRES) && !all.contains_key(tags::TESTED)
}

async fn by_parameter(client: &Client, path: &str) -> Result<Image> {
    let region = client.region();
    let request = client.ssm.get_parameter().name(path).with_decryption(true).send();
    let answer = match client.ask("GetParameter", request).await {
        Ok(answer) => answer,
        Err(failure) if failure.not_found() => {
            return Err(Error::preflight(format!("parameter {path} not found in {region}"))
                .help("Check it with `aws ssm get-parameter --name …`. Public parameters begin with /aws/service/."));
        }
        Err(failure) => return Err(client.explain(*failure, &format!("read the parameter {path}")).await),
    };
    let id = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default().trim();
    if !id.starts_with("ami-") {
        return Err(Error::preflight(format!("the value of the parameter {path} in {region} is not an image ID"))
            .help("The value must be an image ID such as ami-0123456789abcdef0."));
    }
    existing(client, id).await
}

/// The highest tested version in this account, or else among the images that others share with it.
async fn baked(client: &Client, query: &BakedQuery) -> Result<Image> {
    let what = format!("{} of {}", query.key, query.namespace);
    let range = query.version.as_ref().map_or_else(|| "any release".to_owned(), ToString::to_string);
    let doing = format!("find the baked image {what}");
    let own = |key: &str| format!("tag:{key}");
    let shared = |key: &str| format!("tag:{}", shared_key(key));
    let images = describe_in(client, Scope::OwnedBy(&["self".to_owned()]), &ours(query, own), &doing).await?;
    if let Some(image) = highest(images, query) {
        return Ok(image);
    }
    let images = describe_in(client, Scope::SharedWith("self"), &ours(query, shared), &doing).await?;
    highest(images, query).ok_or_else(|| {
        Error::preflight(format!("no tested image {what} matches {range} in {}", client.region())).help(
            "`ami-bake images` lists the images. Bake the base image first, or use another version, namespace or region.",
        )
    })
}

fn ours(query: &BakedQuery, name: impl Fn(&str) -> String) -> Vec<Filter> {
    // Not by variant: older images have it in another tag, and EC2 can't filter by one tag or the other.
    vec![
        one_of(&name(tags::NAME), [&query.namespace]),
        one_of(&name(tags::IMAGE), [&query.key.image]),
        filter("state", "available"),
    ]
}

/// The highest tested version in the range; among equal ones the newest. Without a range only releases match, never
/// images of pull requests.
fn highest(images: Vec<Image>, query: &BakedQuery) -> Option<Image> {
    images
        .into_iter()
        .filter_map(|image| {
            let all = tags_of(&image);
            let version = Version::parse(all.get(tags::VERSION)?).ok()?;
            let fits = match &query.version {
                Some(range) => range.matches(&version),
                None => version.pre.is_empty(),
            };
            let variant = tags::variant(&all) == query.key.variant.as_ref();
            (fits && variant && all.contains_key(tags::TESTED)).then_some((version, image))
        })
        .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.creation_date().cmp(&y.creation_date())))
        .map(|(_, image)| image)
}

/// Refuses images that EC2 would launch but that can't be baked.
fn bakeable(image: &Image, region: &str) -> Result<()> {
    let id = image.image_id().unwrap_or_default();
    let no = |why: &str, help: &str| Err(Error::preflight(format!("{id} in {region} {why}")).help(help));
    match image.state() {
        None | Some(ImageState::Available) => {}
        Some(state) => {
            return no(
                &format!("is not available ({})", state.as_str()),
                "Wait until it is available, or use another image.",
            );
        }
    }
    if image.root_device_type().is_some_and(|kind| *kind != DeviceType::Ebs) {
        return no("has no EBS root volume", "Only EBS-backed images are supported. Use another source.");
    }
    let windows = image.platform() == Some(&PlatformValues::Windows)
        || image.platform_details().is_some_and(|details| details.starts_with("Windows"));
    if windows {
        return no("is a Windows image", "Only Linux images can be baked. Use another source.");
    }
    if image.virtualization_type().is_some_and(|kind| *kind != VirtualizationType::Hvm) {
        return no("is a paravirtual image", "Current instance types only boot HVM images. Use another source.");
    }
    if architecture(image).is_none() {
        let name = image.architecture().map_or("unknown", ArchitectureValues::as_str);
        return no(
            &format!("has the architecture {name}"),
            "Only x86_64 and arm64 are supported. Use another source, or filter by `architecture`.",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::ImageKey;
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn image(id: &str, tags: &[(&str, &str)]) -> Image {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        Image::builder().image_id(id).set_tags(Some(tags)).build()
    }

    fn query(range: Option<&str>) -> BakedQuery {
        BakedQuery {
            namespace: "shop".to_owned(),
            key: ImageKey::new("base"),
            version: range.map(|range| range.parse().unwrap()),
            sibling: false,
        }
    }

    #[test]
    fn the_highest_tested_release_wins() {
        let all = || {
            vec![
                image("ami-9", &[(tags::VERSION, "1.9.0"), (tags::TESTED, "x")]),
                image("ami-10", &[(tags::VERSION, "1.10.0"), (tags::TESTED, "x")]),
                image("ami-candidate", &[(tags::VERSION, "1.11.0")]),
                image("ami-pr", &[(tags::VERSION, "2.0.0-pr.1"), (tags::TESTED, "x")]),
                image("ami-2", &[("ec2:SharedTag/ami-bake/version", "2.0.0"), ("ec2:SharedTag/ami-bake/tested", "x")]),
                image("ami-variant", &[(tags::VERSION, "3.0.0"), (tags::TESTED, "x"), (tags::VARIANT, "arm64")]),
                image(
                    "ami-legacy-variant",
                    &[(tags::VERSION, "3.1.0"), (tags::TESTED, "x"), ("ami-bake:leg", "arm64")],
                ),
            ]
        };
        let id = |range| highest(all(), &query(range)).unwrap().image_id().unwrap().to_owned();
        assert_eq!(id(None), "ami-2");
        assert_eq!(id(Some("^1")), "ami-10");
        assert!(highest(all(), &query(Some("^4"))).is_none());
        let arm64 = ImageKey { variant: Some("arm64".to_owned()), ..ImageKey::new("base") };
        let of_variant = |range| highest(all(), &BakedQuery { key: arm64.clone(), ..query(range) }).unwrap();
        assert_eq!(of_variant(Some("=3.0.0")).image_id(), Some("ami-variant"));
        assert_eq!(of_variant(None).image_id(), Some("ami-legacy-variant"));
    }

    #[test]
    fn what_cannot_be_baked_is_refused_in_words() {
        let mac = Image::builder().image_id("ami-1").architecture(ArchitectureValues::X8664Mac).build();
        let error = bakeable(&mac, "us-east-1").unwrap_err();
        assert_eq!(error.message(), "ami-1 in us-east-1 has the architecture x86_64_mac");
        let store = Image::builder().image_id("ami-1").root_device_type(DeviceType::InstanceStore).build();
        assert!(bakeable(&store, "us-east-1").unwrap_err().message().contains("no EBS root"));
        let windows = Image::builder().image_id("ami-1").platform(PlatformValues::Windows).build();
        assert_eq!(bakeable(&windows, "us-east-1").unwrap_err().message(), "ami-1 in us-east-1 is a Windows image");
    }
}
