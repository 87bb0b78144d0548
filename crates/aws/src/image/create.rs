//! RegisterImage: asked for once, waited for, and compared with what was wanted.

use std::time::Duration;

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Image, ImageState};

use super::delete;
use super::list::{describe, filter};
use super::once::{no_retries, once};
use super::wanted::Wanted;
use crate::capture::Unknown;
use crate::error::Failure;
use crate::platform::{Inner, PLATFORM};

/// RegisterImage takes a second, ten at most (research: latency); this is for a bad day.
const AVAILABLE: Duration = Duration::from_mins(10);
/// How long a fresh image may be described wrongly: fields such as a snapshot's id come late (research: latency, "stale
/// Describe").
const SETTLES: Duration = Duration::from_secs(20);

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
        || async { Ok(ours(aws, run, &wanted.name).await?.and_then(|image| image.image_id)) },
    )
    .await;
    let id = match made {
        Ok(id) => id,
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            return Err(refused(aws, *failure, &doing).await);
        }
    };
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

/// The image of this name, where this run made it.
async fn ours(aws: &Inner, run: &Run, name: &str) -> Result<Option<Image>> {
    let filters = vec![filter("name", name), filter(&format!("tag:{}", tags::RUN), run.id())];
    Ok(describe(&aws.client, "self", filters, &format!("look for the image {name:?}")).await?.into_iter().next())
}

async fn refused(aws: &Inner, failure: Failure, doing: &str) -> NotMade {
    if failure.is(&["InvalidAMIName.Duplicate"]) {
        return NotMade::Taken;
    }
    NotMade::Failed(aws.client.explain(failure, doing).await)
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
