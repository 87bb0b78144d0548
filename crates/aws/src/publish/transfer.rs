//! Copies an image to another region or account under its final name.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::plan::{CopyMethod, ImagePlan};
use ami_bake_core::platform::{ImageRecord, Registration};
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use aws_sdk_ec2::types::Image;
use futures::future::try_join_all;

use super::copy_snapshots;
use super::destination::Destination;
use super::publisher::Publisher;
use crate::client::filter;
use crate::image::{
    self, CaptureMethod, CopyOrigin, CreateImageError, ImageSpec, Images, capture_method, tags_of, with_snapshots,
};

/// Time limit for an image that another publication registers: usually seconds, longer when EC2 copies it.
const AVAILABLE: Duration = Duration::from_hours(3);

/// Number of look-ups for an image that has the name already: DescribeImages has been seen 20 s late (docs/dev/aws.md,
/// "Stale reads").
const LOOKS: u32 = 12;
const PAUSE: Duration = Duration::from_secs(2);

/// The image in the home region that is to be copied.
pub(super) struct HomeImage<'a> {
    pub(super) record: &'a ImageRecord,
    pub(super) image: &'a Image,
}

/// Copies an image to a destination. Returns the copy, and what was done; nothing if the copy existed already.
pub(super) async fn transfer(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
) -> Result<(Image, Option<String>)> {
    if let Some(image) = present(&to.images, run, from.record).await? {
        return Ok((image, None));
    }
    let by_ec2 = capture_method(from.image) == CaptureMethod::CreateImage;
    if by_ec2 || plan.settings.distribution.copy == CopyMethod::Image {
        let why = if by_ec2 { "its billing code requires CopyImage" } else { "`copy: image`" };
        return copied(publisher, run, plan, from, to, why).await;
    }
    match snapshots(publisher, run, plan, from, to).await {
        Ok(parts) => registered(publisher, run, plan, from, to, &parts).await,
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Preflight) => Err(error),
        Err(error) => {
            run.warn(
                format!("{error}; using CopyImage instead"),
                Some("Set `copy: image` to always use CopyImage.".to_owned()),
            );
            copied(publisher, run, plan, from, to, "its snapshots could not be copied").await
        }
    }
}

/// The copy, if an earlier publication created it.
async fn present(images: &Images, run: &Run, record: &ImageRecord) -> Result<Option<Image>> {
    let place = images.client.place();
    let doing = format!("look for the image {:?} in {place}", record.name);
    let filters = vec![filter("name", &record.name)];
    let found = run.until_cancelled(image::describe(&images.client, "self", filters, &doing)).await??;
    let Some(other) = found.into_iter().next() else { return Ok(None) };
    let id = other.image_id().unwrap_or_default().to_owned();
    let seen = tags_of(&other);
    if seen.get(tags::DIGEST).map(String::as_str) != Some(record.digest.as_str()) {
        return Err(Error::new(
            ErrorKind::Publish,
            format!(
                "could not register {:?} in {place}: the name is already used by {id}, which has different content",
                record.name
            ),
        )
        .help("Increase the version, or delete that image first."));
    }
    let (image, _) = image::available(images, run, &id, AVAILABLE, |_| Vec::new()).await?;
    image::repair_parts(&images.client, &image).await?;
    Ok(Some(image))
}

/// The image that another run registered under this name meanwhile, if its content is the same.
async fn other(
    error: CreateImageError,
    run: &Run,
    record: &ImageRecord,
    to: &Destination,
) -> Result<(Image, Option<String>)> {
    if matches!(error, CreateImageError::NameTaken) {
        let look = async {
            for _ in 0..LOOKS {
                if let Some(image) = present(&to.images, run, record).await? {
                    return Ok(Some(image));
                }
                run.sleep(PAUSE).await?;
            }
            Ok::<_, Error>(None)
        };
        let what = format!("EC2 to list the image {:?} of another run", record.name);
        if let Some(image) = run.waiting(&what, look).await? {
            return Ok((image, None));
        }
    }
    Err(why_not(error, record, to))
}

/// Complete copies of all snapshots, by source snapshot.
async fn snapshots(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
) -> Result<BTreeMap<String, String>> {
    let parts = from.record.parts.iter().map(async |part| {
        let copy = copy_snapshots::complete(publisher, run, plan, to, part).await?;
        Ok::<_, Error>((part.clone(), copy))
    });
    Ok(try_join_all(parts).await?.into_iter().collect())
}

/// Registers copies of the snapshots like the image in the home region.
async fn registered(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
    parts: &BTreeMap<String, String>,
) -> Result<(Image, Option<String>)> {
    let devices = with_snapshots(from.image, parts);
    let tags = tags(run, from.record);
    let mut spec = ImageSpec::new(from.image, from.record.name.clone(), &plan.settings, tags.clone(), devices);
    image::fill(&publisher.home, run, &mut spec, from.image, None).await;
    let made = match image::create(&to.images, &to.run(run), &spec).await {
        Ok(made) => made,
        Err(error) => return other(error, run, from.record, to).await,
    };
    // The image is there from now on. Its snapshots stay in the ledger until they have their tags: what cleans up then
    // completes them.
    image::close_registered(run, &made);
    image::tag_parts(to.client(), &image::snapshots(&made), &tags).await?;
    image::close_published(run, &made);
    Ok((made, Some("registered from copies of its snapshots".to_owned())))
}

/// Lets EC2 copy the whole image.
async fn copied(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
    why: &str,
) -> Result<(Image, Option<String>)> {
    if let Some(account) = to.account() {
        publisher.lend(from.image, account).await?;
    }
    let origin = CopyOrigin { region: publisher.client().region(), kms_key: to.region.kms_key.as_deref(), why };
    let registration = Registration { plan, tags: tags(run, from.record), adopt: false };
    let made = image::copy(&to.images, &to.run(run), from.image, &from.record.name, &registration, &origin).await;
    let made = match made {
        Ok(made) => made,
        Err(error) => return other(error, run, from.record, to).await,
    };
    image::close_published(run, &made);
    Ok((made, Some("copied by EC2".to_owned())))
}

/// The home image's tags with this run's ID, by which the copy is found after a lost answer. Each copy gets the tags of
/// the environments that publish it there.
fn tags(run: &Run, record: &ImageRecord) -> BTreeMap<String, String> {
    let mut all = record.tags.clone();
    all.retain(|key, _| !key.starts_with("aws:") && !key.starts_with(tags::ENVIRONMENT));
    all.insert(tags::RUN.to_owned(), run.id().to_owned());
    all
}

fn why_not(error: CreateImageError, record: &ImageRecord, to: &Destination) -> Error {
    match error {
        CreateImageError::Failed(error) => error,
        CreateImageError::NameTaken => Error::new(
            ErrorKind::Publish,
            format!(
                "could not register {:?} in {}: another image took the name in the meantime",
                record.name,
                to.place()
            ),
        )
        .help("Another run publishes the same version. Run it again, or serialize the runs with `concurrency:`."),
    }
}
