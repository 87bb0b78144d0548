//! Finds the private copy of a source.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::plan::MachineSettings;
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::{Image, ImageState, Tag};
use jiff::{SignedDuration, Timestamp};

use super::key::{LIFETIME, LineageKey};
use super::lineages::Lineages;
use crate::client::Client;
use crate::image::{self, CaptureMethod, capture_method, expiring, tags_of};

/// A copy that expires within this time is renewed.
const RENEW: Duration = Duration::from_hours(7 * 24);

/// The image to launch instead of `source`; `None` if the bake has to boot the source itself. Problems with a copy
/// never fail a bake.
pub(crate) async fn own_copy(
    lineages: &Lineages,
    run: &Run,
    source: &Arc<Image>,
    settings: &MachineSettings,
) -> Option<String> {
    let key = LineageKey::new(source, settings);
    let look = look(lineages, run, source, &key);
    match lineages.found.get((run.id().to_owned(), key.clone()), look).await {
        Ok(found) => found,
        Err(error) => {
            run.warn(format!("starting from {} itself: {error}", key.source), None);
            None
        }
    }
}

async fn look(lineages: &Lineages, run: &Run, source: &Arc<Image>, key: &LineageKey) -> Result<Option<String>> {
    if capture_method(source) != CaptureMethod::Snapshots {
        run.for_all().warn(
            format!("{} has a billing code that a copy would lose: `lineage` is ignored", key.source),
            Some("Remove `machine.lineage` for this image.".to_owned()),
        );
        return Ok(None);
    }
    let client = &lineages.images.client;
    let doing = format!("look for the copy of {} in this account", key.source);
    let all = image::describe(client, "self", key.filters(), &doing).await?;
    let mut broken = Vec::new();
    for found in &all {
        let Some(id) = found.image_id() else { continue };
        match found.state() {
            Some(ImageState::Available) => {}
            // Another run is about to complete it.
            Some(ImageState::Pending | ImageState::Transient) => return Ok(None),
            _ => {
                broken.push(id.to_owned());
                continue;
            }
        }
        let differences = key.differences(run, source, found);
        if differences.is_empty() {
            renew(client, run, found).await?;
            run.progress(format!("Starting from {id}, this account's copy of {}", key.source));
            return Ok(Some(id.to_owned()));
        }
        run.for_all().warn(format!("{id} no longer matches {}: {}", key.source, differences.join(", ")), None);
        broken.push(id.to_owned());
    }
    lineages.start(run, source, key, broken);
    Ok(None)
}

/// Extends the expiry of a copy that expires soon. Fails when sweep was faster.
async fn renew(client: &Client, run: &Run, found: &Image) -> Result<()> {
    if !due(found, run.clock().now()) {
        return Ok(());
    }
    let id = found.image_id().unwrap_or_default();
    let mut resources = image::snapshots(found);
    resources.push(id.to_owned());
    let tag = Tag::builder().key(tags::EXPIRES).value(expiring(run, LIFETIME)).build();
    let request = client.ec2.create_tags().set_resources(Some(resources)).tags(tag);
    client.call("CreateTags", &format!("keep {id} for longer"), request.send()).await.map(|_| ())
}

/// True when the expiry is near, has passed, or can't be read.
fn due(found: &Image, now: Timestamp) -> bool {
    let end = tags_of(found).remove(tags::EXPIRES).and_then(|end| end.parse::<Timestamp>().ok());
    let near = SignedDuration::try_from(RENEW).unwrap_or(SignedDuration::MAX);
    end.is_none_or(|end| end.duration_since(now) <= near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_use_never_comes_to_its_end() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let due =
            |end: &str| due(&Image::builder().tags(Tag::builder().key(tags::EXPIRES).value(end).build()).build(), now);
        assert!(!due("2026-12-04T12:00:00Z"), "just made");
        assert!(due("2026-11-27T12:00:00Z"), "a weekly bake must not lose it");
        assert!(due("2026-11-20T11:00:00Z") && due("soon"));
    }
}
