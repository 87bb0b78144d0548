//! Registers images under their final name: a tested candidate, or an existing image under another version.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::Image;

use super::copy::CopyOrigin;
use super::create::{CreateImageError, available, create};
use super::facts::{CaptureMethod, capture_method, is_tested, record, snapshots};
use super::images::Images;
use super::list::describe;
use super::parts::{close_published, tag_parts};
use super::source::described;
use super::spec::ImageSpec;
use super::tags::tags_of;
use super::{copy, delete, mapping, name, uefi};
use crate::client::{Client, filter};

/// Number of look-ups for an image that has the name already: DescribeImages has been seen 20 s late (docs/dev/aws.md,
/// "Stale reads").
const LOOKS: u32 = 12;
const PAUSE: Duration = Duration::from_secs(2);
/// Time limit for an image that another run registers: it takes seconds, or an hour at worst when EC2 copies it.
const AVAILABLE: Duration = Duration::from_hours(3);

/// Registers a tested candidate, or an existing image, under its final name.
pub(crate) async fn register(
    images: &Images,
    run: &Run,
    candidate: &Candidate,
    registration: &Registration<'_>,
) -> Result<ImageRecord> {
    let name = name::of_plan(registration.plan)?;
    // A new candidate's description is cached; whether it still exists shows in the call itself.
    let from = described(images, run, &candidate.image.id).await?;
    let made = match capture_method(&from) {
        CaptureMethod::Snapshots => {
            // First the snapshots, then the name: if the run is interrupted in between, the candidate still has an
            // expiry, and the snapshots are deleted with it. The other way round a published image could have snapshots
            // that expire.
            tag_parts(&images.client, &snapshots(&from), &tags_of_parts(&from, registration)).await?;
            under_new_name(images, run, &from, &name, registration).await
        }
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
        Err(CreateImageError::NameTaken) => match run
            .waiting(
                &format!("EC2 to list the image {name:?} of another run"),
                same_content(images, run, &name, registration),
            )
            .await?
        {
            Some(image) => image,
            None => return Err(name_taken(&images.client, &name, registration).await),
        },
        Err(CreateImageError::Failed(error)) => return Err(error),
    };
    close_published(run, &image);
    let record = record(&image, images.client.region())
        .ok_or_else(|| Error::internal(format!("the image {name:?} was registered without its ami-bake tags")))?;
    // Every look-up finds the image now, so a failure here does not fail the bake. What is left is in the ledger; the
    // end of the run retries and reports it.
    if let Err(error) = delete_candidate(images, run, &from, &record).await {
        tracing::debug!(%error, "the candidate is deleted at the end of the run");
    }
    Ok(record)
}

/// The tags of the image's snapshots. Snapshots of an image without expiry don't get one because another image uses
/// them.
fn tags_of_parts(from: &Image, registration: &Registration<'_>) -> BTreeMap<String, String> {
    let mut tags = registration.tags.clone();
    if is_tested(from) && !tags_of(from).contains_key(tags::EXPIRES) {
        tags.remove(tags::EXPIRES);
    }
    tags
}

/// The image that has the name already, if its content is the same and it passed its tests: another run was faster. It
/// may not be listed yet.
async fn same_content(
    images: &Images,
    run: &Run,
    name: &str,
    registration: &Registration<'_>,
) -> Result<Option<Image>> {
    if !registration.adopt {
        return Ok(None);
    }
    let doing = format!("look for the image {name:?}");
    for _ in 0..LOOKS {
        let found = describe(&images.client, "self", vec![filter("name", name)], &doing).await?;
        let Some(other) = found.into_iter().next() else {
            run.sleep(PAUSE).await?;
            continue;
        };
        let same = tags_of(&other).get(tags::DIGEST).is_some_and(|digest| *digest == registration.plan.digest.as_str());
        if !(same && is_tested(&other)) {
            return Ok(None);
        }
        let id = other.image_id().unwrap_or_default();
        run.progress(format!("{name} was registered by another run meanwhile, with the same content; using {id}"));
        return available(images, run, id, AVAILABLE, |_| Vec::new()).await.map(|(image, _)| Some(image));
    }
    Ok(None)
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

/// The error when the final name belongs to another image.
async fn name_taken(client: &Client, name: &str, registration: &Registration<'_>) -> Error {
    let plan = registration.plan;
    let doing = format!("look for the image {name:?}");
    // The refusal is the error; the owner of the name only improves its message.
    let other = describe(client, "self", vec![filter("name", name)], &doing).await.unwrap_or_default();
    let other = other.first();
    let digest = other.map(tags_of).and_then(|mut seen| seen.remove(tags::DIGEST));
    Error::taken(format!(
        "could not register {} {} as {name:?}: the name is already used by {}{}",
        plan.key,
        plan.version,
        other.and_then(Image::image_id).unwrap_or("another image"),
        digest.map(|digest| format!(" ({digest})")).unwrap_or_default(),
    ))
    .help("Increase `version`, use `version: auto`, or delete that image first.")
}

/// Deregisters the candidate; an image that was published before stays. Snapshots that only the candidate uses, because
/// the image was made by a copy, are deleted too.
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
