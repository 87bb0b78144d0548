//! Environment tag, deprecation and deregistration protection of an image.

use ami_bake_core::plan::Distribution;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Image, Tag};

use crate::client::Client;
use crate::image::tags_of;

/// Sets environment tag, deprecation and protection where they differ from the manifest. Returns the changes as texts.
pub(super) async fn mark(client: &Client, run: &Run, image: &Image, wanted: &Distribution) -> Result<Vec<String>> {
    let id = image.image_id().unwrap_or_default();
    let mut done = Vec::new();
    if let Some(environment) = &wanted.environment
        && !tags_of(image).contains_key(&tag(environment))
    {
        let request =
            client.ec2.create_tags().resources(id).tags(Tag::builder().key(tag(environment)).value("").build());
        let doing = format!("tag the image {id} with the environment {environment}");
        client.call("CreateTags", &doing, request.send()).await?;
        done.push(format!("tagged with the environment {environment}"));
    }
    if let Some(after) = wanted.deprecate_after
        && image.deprecation_time().is_none()
    {
        let at = run.clock().now().checked_add(after).map_err(|error| {
            Error::preflight(format!(
                "could not deprecate the image {id} after {}",
                ami_bake_core::duration::human(after)
            ))
            .because(error)
        })?;
        let request =
            client.ec2.enable_image_deprecation().image_id(id).deprecate_at(DateTime::from_secs(at.as_second()));
        client.call("EnableImageDeprecation", &format!("deprecate the image {id}"), request.send()).await?;
        done.push(format!("deprecated from {} on", at.strftime("%Y-%m-%d")));
    }
    let protected = image.deregistration_protection().is_some_and(|state| state.starts_with("enabled"));
    if wanted.protect && !protected {
        let request = client.ec2.enable_image_deregistration_protection().image_id(id);
        let doing = format!("protect the image {id} from being deregistered");
        client.call("EnableImageDeregistrationProtection", &doing, request.send()).await?;
        done.push("protected".to_owned());
    }
    Ok(done)
}

/// Name of the tag that marks an image as published by the environment.
fn tag(environment: &str) -> String {
    format!("{}{environment}", tags::ENVIRONMENT)
}

/// Removes an environment's tag from an image.
pub(super) async fn release(client: &Client, id: &str, environment: &str) -> Result<()> {
    let request = client.ec2.delete_tags().resources(id).tags(Tag::builder().key(tag(environment)).build());
    let doing = format!("remove the tag of the environment {environment} from the image {id}");
    client.call("DeleteTags", &doing, request.send()).await?;
    Ok(())
}
