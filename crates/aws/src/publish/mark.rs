//! Deprecation and deregistration protection of an image.

use ami_bake_core::plan::Distribution;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::Image;

use crate::client::Client;

/// Sets deprecation and protection where they differ from the manifest. Returns what was set, for messages.
pub(super) async fn mark(client: &Client, run: &Run, image: &Image, wanted: &Distribution) -> Result<Vec<String>> {
    let id = image.image_id().unwrap_or_default();
    let mut done = Vec::new();
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
