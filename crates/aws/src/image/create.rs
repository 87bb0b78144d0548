//! RegisterImage: registers an image once, waits for it, and compares it with its spec.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Image, ImageState};

use super::delete;
use super::images::Images;
use super::list::describe;
use super::spec::ImageSpec;
use crate::client::ledger::{IMAGE, PLATFORM};
use crate::client::{MissingTimer, create_once, filter, no_retries, tag_filter};

/// Time limit for an image to become available; RegisterImage takes a second, ten at most (docs/dev/aws.md, "Timings").
const AVAILABLE: Duration = Duration::from_mins(10);
/// Time for which a new image may be described wrongly: fields such as a snapshot's ID appear late (docs/dev/aws.md,
/// "Stale reads").
const SETTLES: Duration = Duration::from_secs(20);

/// EC2's error code when an image of the account has the name already.
pub(super) const DUPLICATE: &str = "InvalidAMIName.Duplicate";

/// Why an image was not created.
pub(crate) enum CreateImageError {
    /// An image of this name already exists.
    NameTaken,
    /// Any other failure.
    Failed(Error),
}

impl From<Error> for CreateImageError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Registers an image and returns it once it can be launched and matches `spec`. It is in the ledger; an image that
/// differs is deregistered.
pub(crate) async fn create(images: &Images, run: &Run, spec: &ImageSpec) -> Result<Image, CreateImageError> {
    let client = &images.client;
    let doing = format!("register the image {:?}", spec.name);
    run.check()?;
    let ticket = run.intend(PLATFORM, IMAGE, Some(client.region()), &spec.name)?;
    let made = create_once(
        run,
        &doing,
        || async {
            let request = spec.request(&client.ec2).customize().config_override(no_retries());
            let answer = client.ask("RegisterImage", request.send()).await?;
            Ok(answer.image_id.unwrap_or_default())
        },
        || ours(images, run, spec),
    )
    .await;
    let id = match made {
        Ok(id) => id,
        Err(failure) if failure.is(&[DUPLICATE]) => {
            // The name is taken: by this run, if an answer was lost or a publication was interrupted, or by another
            // image.
            let Some(id) = ours(images, run, spec).await? else {
                run.ledger().close(ticket, Closed::Refused);
                return Err(CreateImageError::NameTaken);
            };
            id
        }
        Err(failure) => {
            return Err(CreateImageError::Failed(client.not_created(run, ticket, *failure, &doing).await));
        }
    };
    images.recent.created(&id);
    images.keep_uefi(&id, spec.uefi_data.clone());
    run.ledger().confirm(ticket, &id);
    let (image, differences) = available(images, run, &id, AVAILABLE, |image| spec.differences(image)).await?;
    if differences.is_empty() {
        return Ok(image);
    }
    // If it can't be deleted it stays in the ledger, and the clean-up retries.
    let _ = delete::deregister(client, run, &id).await;
    Err(CreateImageError::Failed(
        Error::build(format!("could not {doing}: the image differs from the request: {}", differences.join(", ")))
            .help("The image was deregistered. `disk: {fast: false}` bakes on a volume with the final performance."),
    ))
}

/// ID of the image, if this run created it already.
async fn ours(images: &Images, run: &Run, spec: &ImageSpec) -> Result<Option<String>> {
    let mut filters = vec![filter("name", &spec.name), tag_filter(tags::RUN, run.id())];
    for key in [tags::VERSION, tags::DIGEST] {
        filters.extend(spec.tags.get(key).map(|value| tag_filter(key, value)));
    }
    let doing = format!("look for the image {:?}", spec.name);
    let found = describe(&images.client, "self", filters, &doing).await?;
    Ok(found.into_iter().find_map(|image| image.image_id))
}

/// Waits until an image can be launched, and until `compare` finds no difference or the image can't be described
/// wrongly any more. Remaining differences are returned with the image.
pub(crate) async fn available(
    images: &Images,
    run: &Run,
    id: &str,
    limit: Duration,
    compare: impl Fn(&Image) -> Vec<String>,
) -> Result<(Image, Vec<String>)> {
    let clock = images.client.clock();
    let mut missing = MissingTimer::new(clock, format!("the image {id}"));
    let mut since = None;
    images
        .pending
        .wait(run, id, &format!("the image {id} to become available"), limit, |state| {
            let Some(image) = state else { return missing.missing() };
            missing.seen();
            images.recent.seen(id);
            match image.state() {
                Some(ImageState::Available) => {
                    let differences = compare(&image);
                    let since = *since.get_or_insert_with(|| clock.elapsed());
                    let settled = clock.elapsed().saturating_sub(since) >= SETTLES;
                    (settled || differences.is_empty()).then_some(Ok((image, differences)))
                }
                Some(ImageState::Pending | ImageState::Transient) | None => None,
                Some(state) => Some(Err(failed(&image, state))),
            }
        })
        .await
}

fn failed(image: &Image, state: &ImageState) -> Error {
    let reason = image.state_reason().and_then(|reason| reason.message().or(reason.code()));
    let id = image.image_id().unwrap_or_default();
    Error::build(format!(
        "the image {id} did not become available: its state is {state}: {}",
        reason.unwrap_or("EC2 gave no reason")
    ))
}
