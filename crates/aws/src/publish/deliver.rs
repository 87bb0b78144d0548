//! The order of a publication, region by region.

use std::sync::Arc;

use ami_bake_core::delivery::Delivery;
use ami_bake_core::event::{Event, Failure};
use ami_bake_core::plan::{ImagePlan, RegionPlan};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, Kind, Result, Run};
use futures::future::join_all;

use super::mark::mark;
use super::parameters::point;
use super::place::{From, bring};
use super::share::share;
use crate::platform::Inner;
use crate::source::described;

/// Publishes a registered image: every region on its own, the home region among them. What is done already is not
/// repeated.
///
/// # Errors
/// [`Kind::Publish`] when a region failed; the others are done all the same, and all are told.
pub(crate) async fn publish(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, record: &ImageRecord) -> Result<()> {
    if !plan.settings.distribution.is_needed() {
        return Ok(());
    }
    let image = described(home, run, &record.id).await?;
    let from = From { record, image: &image };
    let regions = regions(plan, home.client.region());
    let results = join_all(regions.iter().map(|region| deliver(home, run, plan, &from, region))).await;
    run.check()?;
    let (good, bad): (Vec<_>, Vec<_>) = regions.iter().zip(results).partition(|(_, result)| result.is_ok());
    let good: Vec<&str> = good.iter().map(|(region, _)| region.region.as_str()).collect();
    let bad: Vec<(&str, Error)> =
        bad.into_iter().filter_map(|(region, result)| Some((region.region.as_str(), result.err()?))).collect();
    match summary(plan, &good, &bad) {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// The home region first, then the others as they are written.
pub(super) fn regions(plan: &ImagePlan, home: &str) -> Vec<RegionPlan> {
    let asked = &plan.settings.distribution.regions;
    let mut all = vec![RegionPlan { region: home.to_owned(), kms_key: None }];
    for region in asked {
        if all.iter().all(|seen| seen.region != region.region) {
            all.push(region.clone());
        }
    }
    all
}

/// One region from copy to pointers; told as an event, whatever came of it.
async fn deliver(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, from: &From<'_>, region: &RegionPlan) -> Result<()> {
    let mut delivery = Delivery { region: region.region.clone(), account: None, image: None, done: Vec::new(), failure: None };
    let result = steps(home, run, plan, from, region, &mut delivery).await;
    let result = result.map_err(|error| match error.kind() {
        Kind::Cancelled => error,
        _ => error.into_kind(Kind::Publish),
    });
    delivery.failure = result.as_ref().err().map(Failure::from);
    run.tell(Event::Published { delivery });
    result
}

async fn steps(
    home: &Arc<Inner>,
    run: &Run,
    plan: &ImagePlan,
    from: &From<'_>,
    region: &RegionPlan,
    delivery: &mut Delivery,
) -> Result<()> {
    let there = home.in_region(&region.region);
    let brought;
    let image = if region.region == home.client.region() {
        from.image
    } else {
        let (image, done) = bring(home, run, plan, from, region).await?;
        delivery.done.extend(done);
        brought = image;
        &brought
    };
    let id = image.image_id().unwrap_or_default();
    delivery.image = Some(id.to_owned());
    let wanted = &plan.settings.distribution;
    delivery.done.extend(share(&there, id, &wanted.share).await?);
    delivery.done.extend(mark(&there, run, image, wanted).await?);
    // What points at the image comes last: it is all that it should be by then.
    delivery.done.extend(point(&there, run, plan, id).await?);
    Ok(())
}

/// The failure of a publication: where it failed and why, and where it did not.
fn summary(plan: &ImagePlan, good: &[&str], bad: &[(&str, Error)]) -> Option<Error> {
    let (_, first) = bad.first()?;
    let names: Vec<&str> = bad.iter().map(|(region, _)| *region).collect();
    let there = if good.is_empty() { "nowhere".to_owned() } else { format!("in {}", good.join(", ")) };
    let mut help = format!(
        "It is published {there}. `ami-bake publish --report bake-report.json` does what is missing, and repeats nothing."
    );
    if let Some(first) = first.help_text() {
        help = format!("{first} {help}");
    }
    Some(
        Error::new(Kind::Publish, format!("publish {} {} in {}", plan.key, plan.version, names.join(", ")))
            .help(help)
            .because(first.clone()),
    )
}
