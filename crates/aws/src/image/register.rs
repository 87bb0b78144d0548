//! The final name: a tested candidate becomes an image, an image that is there gets another version.

use std::collections::BTreeMap;

use ami_bake_core::ledger::Closed;
use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Image, Tag};

use super::copy::CopyOrigin;
use super::create::{CreateImageError, create};
use super::facts::{CaptureMethod, capture_method, is_tested, record, snapshots};
use super::images::Images;
use super::list::describe;
use super::source::described;
use super::spec::ImageSpec;
use super::tags::{tags_of, to_ec2};
use super::{copy, delete, mapping, name, uefi};
use crate::client::ledger::{IMAGE, SNAPSHOT};
use crate::client::{Client, filter};

/// Registers a tested candidate, or an image that is there already, under its final name.
pub(crate) async fn register(
    images: &Images,
    run: &Run,
    candidate: &Candidate,
    registration: &Registration<'_>,
) -> Result<ImageRecord> {
    let name = name::of_plan(registration.plan)?;
    // A fresh candidate's description is known already; whether it is still there shows in the call itself.
    let from = described(images, run, &candidate.image.id).await?;
    let made = match capture_method(&from) {
        CaptureMethod::Snapshots => under_new_name(images, run, &from, &name, registration).await,
        CaptureMethod::CreateImage => {
            let origin = CopyOrigin {
                region: images.client.region(),
                kms_key: None,
                why: "its billing code requires CopyImage",
            };
            copy::copy(images, run, &from, &name, registration, &origin).await
        }
    };
    let image = match made {
        Ok(image) => image,
        Err(CreateImageError::NameTaken) => return Err(name_taken(&images.client, &name, registration).await),
        Err(CreateImageError::Failed(error)) => return Err(error),
    };
    let record = record(&image, images.client.region())
        .ok_or_else(|| Error::internal(format!("the image {name:?} was registered without its ami-bake tags")))?;
    // The parts may be tagged and the candidate may go at the same time: the image is there for every look-up.
    let (tagged, gone) = tokio::join!(
        tag_parts(&images.client, &record.parts, &registration.tags),
        delete_candidate(images, run, &from, &record)
    );
    tagged?;
    gone?;
    close_published(run, &image)?;
    Ok(record)
}

/// Closes the ledger entries of an image that is published: no clean-up deletes it any more.
pub(crate) fn close_published(run: &Run, image: &Image) -> Result<()> {
    for part in snapshots(image) {
        run.ledger().close_id(SNAPSHOT, &part, Closed::Published)?;
    }
    run.ledger().close_id(IMAGE, image.image_id().unwrap_or_default(), Closed::Published)
}

/// Registers the same snapshots under another name.
async fn under_new_name(
    images: &Images,
    run: &Run,
    from: &Image,
    name: &str,
    registration: &Registration<'_>,
) -> Result<Image, CreateImageError> {
    let devices = mapping::of_image(from);
    let settings = &registration.plan.settings;
    let mut spec = ImageSpec::new(from, name.to_owned(), settings, registration.tags.clone(), devices);
    uefi::fill(images, run, &mut spec, from, None).await;
    create(images, run, &spec).await
}

/// The final name belongs to another image.
async fn name_taken(client: &Client, name: &str, registration: &Registration<'_>) -> Error {
    let plan = registration.plan;
    let doing = format!("look for the image {name:?}");
    // The refusal is the message; who has the name only makes it better.
    let other = describe(client, "self", vec![filter("name", name)], &doing).await.unwrap_or_default();
    let other = other.first();
    let digest = other.map(tags_of).and_then(|mut seen| seen.remove(tags::DIGEST));
    Error::taken(format!(
        "register {} {} as {name:?}: the name is already used by {}{}",
        plan.key,
        plan.version,
        other.and_then(Image::image_id).unwrap_or("another image"),
        digest.map(|digest| format!(" ({digest})")).unwrap_or_default(),
    ))
    .help("Increase `version`, use `version: auto`, or delete that image first.")
}

/// Gives the snapshots the image's tags, and takes off their end.
pub(crate) async fn tag_parts(client: &Client, parts: &[String], wanted: &BTreeMap<String, String>) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    let doing = format!("tag the snapshots {}", parts.join(", "));
    let request = client.ec2.create_tags().set_resources(Some(parts.to_vec())).set_tags(Some(to_ec2(wanted)));
    client.call("CreateTags", &doing, request.send()).await?;
    if wanted.contains_key(tags::EXPIRES) {
        return Ok(());
    }
    let expires = Tag::builder().key(tags::EXPIRES).build();
    let request = client.ec2.delete_tags().set_resources(Some(parts.to_vec())).tags(expires);
    client.call("DeleteTags", &doing, request.send()).await?;
    Ok(())
}

/// Takes the candidate's registration away; an image that was published before stays. Snapshots of its own, which a
/// copy leaves behind, go with it.
async fn delete_candidate(images: &Images, run: &Run, from: &Image, record: &ImageRecord) -> Result<()> {
    let Some(id) = from.image_id().filter(|id| *id != record.id) else { return Ok(()) };
    if is_tested(from) {
        return Ok(());
    }
    if snapshots(from).iter().all(|part| record.parts.contains(part)) {
        delete::deregister(&images.client, run, id).await
    } else {
        delete::delete(images, run, id).await
    }
}
