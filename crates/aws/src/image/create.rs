//! RegisterImage: asked for once, waited for, and compared with what was wanted.

use std::time::Duration;

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Image, ImageState};

use super::list::{describe, filter};
use super::once::{no_retries, once};
use super::wanted::Wanted;
use super::{delete, uefi};
use crate::capture::Unknown;
use crate::platform::{Inner, PLATFORM};

/// RegisterImage takes a second, ten at most (research: latency); this is for a bad day.
const AVAILABLE: Duration = Duration::from_mins(10);
/// How long a fresh image may be described wrongly: fields such as a snapshot's id come late (research: latency, "stale
/// Describe").
const SETTLES: Duration = Duration::from_secs(20);

/// EC2's code for a name that an image of the account has already.
pub(super) const DUPLICATE: &str = "InvalidAMIName.Duplicate";

/// An image that could not be made.
pub(crate) enum NotMade {
    /// An image of this name is there already.
    Taken,
    /// Anything else.
    Failed(Error),
}

impl From<Error> for NotMade {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Registers an image and returns it once it can be launched and is all that was wanted. It stands in the ledger; what
/// differs is deregistered.
pub(crate) async fn create(aws: &Inner, run: &Run, wanted: &Wanted) -> Result<Image, NotMade> {
    let client = &aws.client;
    let doing = format!("register the image {:?}", wanted.name);
    run.check()?;
    let ticket = run.intend(PLATFORM, IMAGE, Some(client.region()), &wanted.name)?;
    let made = once(
        client,
        || async {
            let request = wanted.request(&client.ec2).customize().config_override(no_retries());
            let answer = client.ask("RegisterImage", request.send()).await?;
            Ok(answer.image_id.unwrap_or_default())
        },
        || ours(aws, run, wanted),
    )
    .await;
    let id = match made {
        Ok(id) => id,
        Err(failure) if failure.is(&[DUPLICATE]) => {
            // By an answer that was lost, or by a publication that broke off; else by another image.
            let Some(id) = ours(aws, run, wanted).await? else {
                run.ledger().close(ticket, Closed::Refused)?;
                return Err(NotMade::Taken);
            };
            id
        }
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            return Err(NotMade::Failed(client.explain(*failure, &doing).await));
        }
    };
    aws.captures.young.born(&id);
    uefi::keep(aws, &id, wanted.uefi_data.clone());
    run.ledger().confirm(ticket, &id)?;
    let (image, differences) = available(aws, run, &id, AVAILABLE, |image| wanted.differences(image)).await?;
    if differences.is_empty() {
        return Ok(image);
    }
    delete::deregister(aws, run, &id).await?;
    Err(NotMade::Failed(
        Error::build(format!("{doing}: EC2 made it otherwise than asked for: {}", differences.join(", ")))
            .help("The image was deregistered again. `disk: {fast: false}` bakes on a volume with the final speed."),
    ))
}

/// The id of the wanted image, where this very run made it already.
async fn ours(aws: &Inner, run: &Run, wanted: &Wanted) -> Result<Option<String>> {
    let tag = |key: &str, value: &str| filter(&format!("tag:{key}"), value);
    let mut filters = vec![filter("name", &wanted.name), tag(tags::RUN, run.id())];
    for key in [tags::VERSION, tags::DIGEST] {
        filters.extend(wanted.tags.get(key).map(|value| tag(key, value)));
    }
    let doing = format!("look for the image {:?}", wanted.name);
    let found = describe(&aws.client, "self", filters, &doing).await?;
    Ok(found.into_iter().find_map(|image| image.image_id))
}

/// Waits until an image can be launched, and for as long as it may be described wrongly until `judge` finds nothing.
/// What it still finds then comes back with the image.
pub(crate) async fn available(
    aws: &Inner,
    run: &Run,
    id: &str,
    limit: Duration,
    judge: impl Fn(&Image) -> Vec<String>,
) -> Result<(Image, Vec<String>)> {
    let clock = aws.client.clock();
    let mut unknown = Unknown::new(clock, format!("the image {id}"));
    let mut since = None;
    aws.captures
        .images
        .wait(run, id, limit, |state| {
            let Some(image) = state else { return unknown.missing() };
            unknown.seen();
            aws.captures.young.seen(id);
            match image.state() {
                Some(ImageState::Available) => {
                    let differences = judge(&image);
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
    Error::build(format!("wait for the image {id}: it is {state}: {}", reason.unwrap_or("EC2 gives no reason")))
}
