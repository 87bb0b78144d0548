//! The order of a publication's steps, for each destination.

use ami_bake_core::delivery::Delivery;
use ami_bake_core::event::{Event, Failure};
use ami_bake_core::plan::ImagePlan;
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use futures::future::join_all;

use super::destination::{Destination, destinations};
use super::mark::mark;
use super::parameters::point;
use super::publisher::Publisher;
use super::share::share;
use super::transfer::{HomeImage, transfer};
use crate::image::described;

/// Publishes a registered image to every region of every account independently, including the home region. Work that is
/// already done is not repeated.
///
/// # Errors
/// [`ErrorKind::Publish`] when a destination failed; the others are still published, and all are reported.
pub(crate) async fn publish(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    record: &ImageRecord,
    force: bool,
) -> Result<()> {
    let wanted = &plan.settings.distribution;
    if !wanted.is_needed() && wanted.environment.is_none() {
        return Ok(());
    }
    let image = described(&publisher.home, run, &record.id).await?;
    let from = HomeImage { record, image: &image };
    let all = destinations(&publisher.places, &[&plan.settings.distribution]);
    let results = join_all(all.iter().map(|to| deliver(publisher, run, plan, &from, to, force))).await;
    publisher.take_back(run, &image, &plan.settings.distribution.share).await;
    run.check()?;
    let (good, bad): (Vec<_>, Vec<_>) = all.iter().zip(results).partition(|(_, result)| result.is_ok());
    let good: Vec<&str> = good.iter().map(|(to, _)| to.place()).collect();
    let bad: Vec<(&str, Error)> =
        bad.into_iter().filter_map(|(to, result)| Some((to.place(), result.err()?))).collect();
    match summary(plan, &good, &bad) {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// Publishes to one destination, from the copy to the parameters, and emits an event with the result.
async fn deliver(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
    force: bool,
) -> Result<()> {
    let mut delivery = Delivery {
        region: to.region.region.clone(),
        account: to.account().map(str::to_owned),
        image: None,
        done: Vec::new(),
        failure: None,
    };
    let result = steps(publisher, run, plan, from, to, force, &mut delivery).await;
    let result = result.map_err(|error| match error.kind() {
        ErrorKind::Cancelled => error,
        _ => error.into_kind(ErrorKind::Publish),
    });
    delivery.failure = result.as_ref().err().map(Failure::from);
    run.emit(Event::Published { delivery });
    result
}

async fn steps(
    publisher: &Publisher,
    run: &Run,
    plan: &ImagePlan,
    from: &HomeImage<'_>,
    to: &Destination,
    force: bool,
    delivery: &mut Delivery,
) -> Result<()> {
    let client = to.client();
    let transferred;
    let image = if to.home {
        from.image
    } else {
        let (image, done) = transfer(publisher, run, plan, from, to).await?;
        delivery.done.extend(done);
        transferred = image;
        &transferred
    };
    let id = image.image_id().unwrap_or_default();
    delivery.image = Some(id.to_owned());
    let wanted = &plan.settings.distribution;
    delivery.done.extend(share(client, id, &wanted.share, &from.record.tags).await?);
    delivery.done.extend(mark(client, run, image, wanted).await?);
    // Parameters come last, when the image is complete.
    delivery.done.extend(point(client, run, plan, id, force).await?);
    Ok(())
}

/// The error of a publication: where it failed and why, and where it succeeded.
fn summary(plan: &ImagePlan, good: &[&str], bad: &[(&str, Error)]) -> Option<Error> {
    let (_, first) = bad.first()?;
    let names: Vec<&str> = bad.iter().map(|(region, _)| *region).collect();
    let there = if good.is_empty() { "nowhere".to_owned() } else { format!("in {}", good.join(", ")) };
    let mut help =
        format!("It is published {there}. Run `ami-bake publish --report bake-report.json` to complete the rest.");
    if let Some(first) = first.help_text() {
        help = format!("{first} {help}");
    }
    Some(
        Error::new(
            ErrorKind::Publish,
            format!("could not publish {} {} in {}", plan.key, plan.version, names.join(", ")),
        )
        .help(help)
        .because(first.clone()),
    )
}
