//! Finds the image in the region and account of a deployment.

use std::sync::Arc;

use ami_bake_core::plan::Deployment;
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::Image;

use crate::client::{Client, PerPlace, filter};
use crate::image::{self, Images, described, tags_of};

/// Finds the image: in the home region by its ID, in another region by its name, in another account as its own copy or
/// as an image shared with it.
pub(super) async fn find(
    places: &PerPlace<Images>,
    client: &Client,
    run: &Run,
    record: &ImageRecord,
    deployment: &Deployment,
) -> Result<Arc<Image>> {
    let (region, home) = (client.region(), places.clients().home().region());
    if deployment.role.is_none() && region == home {
        return described(&places.home(), run, &record.id).await;
    }
    if let Some(own) = by_name(client, run, record).await? {
        return Ok(Arc::new(own));
    }
    if deployment.role.is_some()
        && let Some(ours) = by_name(&places.clients().in_region(region), run, record).await?
        && let Some(shared) = shared_image(client, run, ours.image_id().unwrap_or_default()).await?
    {
        return Ok(Arc::new(shared));
    }
    let help = match &deployment.role {
        None => format!("Publish it to this region: `publish: {{regions: [{region}]}}`."),
        Some(role) => format!(
            "Publish it to this account (`publish: {{targets: [{{role: …, regions: [{region}]}}]}}`), or share it with the account of {role} \
             (`publish: {{share: {{accounts: […]}}}}`)."
        ),
    };
    Err(Error::preflight(format!("image {:?} not found in {}", record.name, client.place()))
        .help(help)
        .at(deployment.route.clone()))
}

/// The account's own image with this name and content.
async fn by_name(client: &Client, run: &Run, record: &ImageRecord) -> Result<Option<Image>> {
    let doing = format!("look for the image {:?} in {}", record.name, client.place());
    let filters = vec![filter("name", &record.name)];
    let found = run.until_cancelled(image::describe(client, "self", filters, &doing)).await??;
    let same = |image: &Image| tags_of(image).get(tags::DIGEST).map(String::as_str) == Some(record.digest.as_str());
    Ok(found.into_iter().find(same))
}

/// An image of another account that this account may launch.
async fn shared_image(client: &Client, run: &Run, id: &str) -> Result<Option<Image>> {
    let request = client.ec2.describe_images().image_ids(id);
    match run.until_cancelled(client.ask("DescribeImages", request.send())).await? {
        Ok(answer) => Ok(answer.images.unwrap_or_default().pop()),
        Err(failure) if failure.not_found() => Ok(None),
        Err(failure) => Err(client.explain(*failure, &format!("look up the image {id}")).await),
    }
}
