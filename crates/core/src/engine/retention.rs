//! Takes away older versions of an image once a new one is registered.

use crate::engine::options::Rooms;
use crate::error::Result;
use crate::event::Event;
use crate::plan::ImagePlan;
use crate::platform::{ImageQuery, ImageRecord};
use crate::run::Run;

/// Deletes what the plan no longer keeps, and tells each. The new image is there all the same when that fails, so that it is
/// a warning and no failure of the bake.
pub(super) async fn retire(run: &Run, rooms: &Rooms, plan: &ImagePlan, new: &ImageRecord) {
    if plan.settings.retention.is_none() {
        return;
    }
    match run.until_cancelled(retire_or_fail(run, rooms, plan, new)).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => run.warn(
            format!("could not take away the older versions of {}: {error}", plan.key),
            Some("The next bake tries it again.".to_owned()),
        ),
    }
}

async fn retire_or_fail(run: &Run, rooms: &Rooms, plan: &ImagePlan, new: &ImageRecord) -> Result<()> {
    // Of every name: whoever was built on one of them counts.
    let all = rooms.platform.images(run, &ImageQuery::default()).await?;
    for image in plan.settings.retention.superfluous(new, &all, run.clock().now()) {
        rooms.platform.delete_image(run, &image.id).await?;
        run.tell(Event::Retired { image: image.clone() });
    }
    Ok(())
}
