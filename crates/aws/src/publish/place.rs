//! An image in another region or account, under its final name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::plan::{CopyMethod, ImagePlan};
use ami_bake_core::platform::{ImageRecord, Registration};
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use aws_sdk_ec2::types::Image;
use futures::future::try_join_all;

use super::copies;
use super::destination::Destination;
use super::share::lend_image;
use crate::capture::{SNAPSHOT, Take, take};
use crate::image::{self, Behind, NotMade, Origin, Wanted};
use crate::platform::Inner;
use crate::source::tags_of;

/// An image that another publication registered is available in seconds.
const AVAILABLE: Duration = Duration::from_hours(3);

/// The image at home that goes elsewhere.
pub(super) struct From<'a> {
    pub(super) record: &'a ImageRecord,
    pub(super) image: &'a Image,
}

/// Brings an image to a place. Answers it there, and what was done; nothing where it was there already.
pub(super) async fn bring(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    from: &From<'_>,
    to: &Destination,
) -> Result<(Image, Option<String>)> {
    if let Some(image) = present(&to.there, run, from.record).await? {
        return Ok((image, None));
    }
    let by_ec2 = take(from.image) == Take::CreateImage;
    if by_ec2 || plan.settings.distribution.copy == CopyMethod::Image {
        let why = if by_ec2 { "its billing code allows no registration of ours" } else { "`copy: image`" };
        return copied(home, run, plan, from, to, why).await;
    }
    match snapshots(home, run, plan, from, to).await {
        Ok(parts) => registered(home, run, plan, from, to, &parts).await,
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Preflight) => Err(error),
        Err(error) => {
            run.warn(
                format!("{error}; EC2 copies the whole image instead"),
                Some("`copy: image` does so from the start.".to_owned()),
            );
            copied(home, run, plan, from, to, "its snapshots could not be copied alone").await
        }
    }
}

/// The same image, where an earlier publication brought it.
async fn present(there: &Inner, run: &Run, record: &ImageRecord) -> Result<Option<Image>> {
    let place = there.client.place();
    let doing = format!("look for the image {:?} in {place}", record.name);
    let filters = vec![image::filter("name", &record.name)];
    let found = run.until_cancelled(image::describe(&there.client, "self", filters, &doing)).await??;
    let Some(other) = found.into_iter().next() else { return Ok(None) };
    let id = other.image_id().unwrap_or_default().to_owned();
    let seen = tags_of(&other);
    if seen.get(tags::DIGEST).map(String::as_str) != Some(record.digest.as_str()) {
        return Err(Error::new(
            ErrorKind::Publish,
            format!("register {:?} in {place}: the name is taken by {id}, which has other content", record.name),
        )
        .help("Raise the version, or delete that image first."));
    }
    image::available(there, run, &id, AVAILABLE, |_| Vec::new()).await.map(|(image, _)| Some(image))
}

/// Complete copies of all snapshots, by the snapshot that each was made of.
async fn snapshots(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    from: &From<'_>,
    to: &Destination,
) -> Result<BTreeMap<String, String>> {
    let parts = from.record.parts.iter().map(async |part| {
        let copy = copies::complete(home, run, plan, to, part).await?;
        Ok::<_, Error>((part.clone(), copy))
    });
    Ok(try_join_all(parts).await?.into_iter().collect())
}

/// Registers copies of the snapshots as the image at home is registered.
async fn registered(
    home: &Inner,
    run: &Run,
    plan: &ImagePlan,
    from: &From<'_>,
    to: &Destination,
    parts: &BTreeMap<String, String>,
) -> Result<(Image, Option<String>)> {
    let there = &to.there;
    let mut devices = image::devices(from.image);
    for device in &mut devices {
        if let Behind::Volume(volume) = &mut device.behind
            && let Some(copy) = parts.get(&volume.snapshot)
        {
            volume.snapshot.clone_from(copy);
        }
    }
    let tags = tags(run, from.record);
    let mut wanted = Wanted::new(from.image, from.record.name.clone(), &plan.settings, tags.clone(), devices);
    image::fill(home, run, &mut wanted, from.image, None).await;
    let made = match image::create(there, &to.run(run), &wanted).await {
        Ok(made) => made,
        Err(not_made) => return Err(why_not(not_made, from.record, there)),
    };
    image::tag_parts(there, &image::snapshots(&made), &tags).await?;
    settle(run, &made)?;
    Ok((made, Some("registered over copies of its snapshots".to_owned())))
}

/// EC2 copies the whole image.
async fn copied(
    home: &Inner,
    run: &Run,
    plan: &ImagePlan,
    from: &From<'_>,
    to: &Destination,
    why: &str,
) -> Result<(Image, Option<String>)> {
    let there = &to.there;
    if let Some(account) = to.account() {
        lend_image(home, from.image, account).await?;
    }
    let origin = Origin { region: home.client.region(), kms_key: to.region.kms_key.as_deref(), why };
    let registration = Registration { plan, tags: tags(run, from.record) };
    let made = image::copy(there, &to.run(run), from.image, &from.record.name, &registration, &origin).await;
    let made = made.map_err(|not_made| why_not(not_made, from.record, there))?;
    settle(run, &made)?;
    Ok((made, Some("copied by EC2".to_owned())))
}

/// The tags of the image at home, under this run: it is what a lost answer is found by.
fn tags(run: &Run, record: &ImageRecord) -> BTreeMap<String, String> {
    let mut tags = record.tags.clone();
    tags.retain(|key, _| !key.starts_with("aws:"));
    tags.insert(tags::RUN.to_owned(), run.id().to_owned());
    tags
}

fn why_not(not_made: NotMade, record: &ImageRecord, there: &Inner) -> Error {
    match not_made {
        NotMade::Failed(error) => error,
        NotMade::Taken => Error::new(
            ErrorKind::Publish,
            format!("register {:?} in {}: the name was taken meanwhile", record.name, there.client.place()),
        )
        .help("Another run publishes the same version: run it again, or serialise them with `concurrency:`."),
    }
}

/// It is published: no clean-up takes it any more.
fn settle(run: &Run, made: &Image) -> Result<()> {
    for part in image::snapshots(made) {
        run.ledger().close_id(SNAPSHOT, &part, Closed::Published)?;
    }
    run.ledger().close_id(IMAGE, made.image_id().unwrap_or_default(), Closed::Published)
}
