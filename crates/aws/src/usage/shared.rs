//! Shared images: instances of other accounts are not visible, but EC2 reports when an image was last launched.

use std::collections::BTreeSet;
use std::time::Duration;

use ami_bake_core::Result;
use aws_sdk_ec2::types::{Image, ImageAttributeName};
use futures::future::try_join_all;
use jiff::Timestamp;

use super::users::Users;
use crate::client::Client;

/// Time since the last launch for which a shared image counts as used. EC2 reports a launch a day late (EC2 API, Image,
/// `lastLaunchedTime`).
const LATELY: Duration = Duration::from_hours(90 * 24);

/// The images that others may launch and that were launched recently.
pub(super) async fn launched(client: &Client, images: &[&Image], now: Timestamp) -> Result<Users> {
    let late = images.iter().filter_map(|image| Some((*image, lately(image.last_launched_time()?, now)?)));
    let found = try_join_all(late.map(async |(image, at)| {
        let id = image.image_id().unwrap_or_default();
        let shared = image.public() == Some(true) || is_shared(client, id).await?;
        Ok::<_, ami_bake_core::Error>(shared.then(|| (id.to_owned(), at)))
    }))
    .await?;
    let words = |at: Timestamp| {
        BTreeSet::from([format!("an account it is shared with (launched {})", at.strftime("%Y-%m-%d"))])
    };
    Ok(found.into_iter().flatten().map(|(id, at)| (id, words(at))).collect())
}

/// The images that others may launch.
pub(super) async fn shared(client: &Client, images: &[&Image]) -> Result<Vec<String>> {
    let found = try_join_all(images.iter().map(async |image| {
        let id = image.image_id().unwrap_or_default();
        let shared = image.public() == Some(true) || is_shared(client, id).await?;
        Ok::<_, ami_bake_core::Error>(shared.then(|| id.to_owned()))
    }))
    .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The time of the last launch, if it is recent.
fn lately(at: &str, now: Timestamp) -> Option<Timestamp> {
    let at: Timestamp = at.parse().ok()?;
    (Duration::try_from(now.duration_since(at)).unwrap_or_default() < LATELY).then_some(at)
}

async fn is_shared(client: &Client, id: &str) -> Result<bool> {
    let request = client.ec2.describe_image_attribute().image_id(id).attribute(ImageAttributeName::LaunchPermission);
    let doing = format!("look up with whom the image {id} is shared");
    let answer = client.call("DescribeImageAttribute", &doing, request.send()).await?;
    Ok(!answer.launch_permissions().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_a_year_is_lately() {
        let now: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        assert!(lately("2026-11-19T00:00:00.000Z", now).is_some());
        assert!(lately("2026-11-21T00:00:00.000Z", now).is_some(), "a clock that is ahead");
        assert_eq!(lately("2026-08-01T00:00:00.000Z", now), None);
    }
}
