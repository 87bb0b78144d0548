//! CopyImage: the only way to give another name to images whose billing code RegisterImage would lose.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::platform::Registration;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::{AttributeValue, Image, ImdsSupportValues, ResourceType};

use super::copy_slots::patiently;
use super::create::{CreateImageError, DUPLICATE, available};
use super::delete;
use super::facts::snapshots;
use super::images::Images;
use super::spec::ImageSpec;
use super::tags::specification;
use crate::client::ledger::{IMAGE, PLATFORM};
use crate::client::{Client, hash};

/// Time limit for CopyImage: it takes some five minutes whatever the size, an hour at worst (docs/dev/aws.md,
/// "Timings").
const COPIED: Duration = Duration::from_hours(3);

/// Source of a copy, and how to copy it.
pub(crate) struct CopyOrigin<'a> {
    /// Region of the image to copy.
    pub(crate) region: &'a str,
    /// The key that encrypts the copy. Default: encryption as in the source.
    pub(crate) kms_key: Option<&'a str>,
    /// Why CopyImage is used, for messages.
    pub(crate) why: &'a str,
}

/// Copies an image to its final name in this region, and waits until it can be launched.
pub(crate) async fn copy(
    images: &Images,
    run: &Run,
    from: &Image,
    name: &str,
    registration: &Registration<'_>,
    origin: &CopyOrigin<'_>,
) -> Result<Image, CreateImageError> {
    let client = &images.client;
    let source = from.image_id().unwrap_or_default();
    let doing = format!("copy the image {source} to the name {name:?}");
    run.check()?;
    run.progress(format!("Copying {source} to {}: {}", client.place(), origin.why));
    // Until the copy is complete.
    let _slot = images.copies.wait(client, run, snapshots(from).len()).await?;
    let ticket = run.intend(PLATFORM, IMAGE, Some(client.region()), name)?;
    let request = || {
        client
            .ec2
            .copy_image()
            .name(name)
            .set_description(Some(registration.plan.settings.description.clone()).filter(|text| !text.is_empty()))
            .source_image_id(source)
            .source_region(origin.region)
            .set_encrypted(origin.kms_key.map(|_| true))
            .set_kms_key_id(origin.kms_key.map(str::to_owned))
            .client_token(token(run, source, name))
            .tag_specifications(specification(ResourceType::Image, &registration.tags))
            .tag_specifications(specification(ResourceType::Snapshot, &registration.tags))
    };
    let asked = patiently(client, run, || async { Ok(client.ask("CopyImage", request().send()).await) });
    let id = match asked.await? {
        Ok(answer) => answer.image_id.unwrap_or_default(),
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused);
            }
            if failure.is(&[DUPLICATE]) {
                return Err(CreateImageError::NameTaken);
            }
            return Err(CreateImageError::Failed(client.explain(*failure, &doing).await));
        }
    };
    images.recent.created(&id);
    run.ledger().confirm(ticket, &id);
    let spec = ImageSpec::copy_of(from, name, &registration.plan.settings, origin.kms_key.is_some());
    let (image, _) = available(images, run, &id, COPIED, |_| Vec::new()).await?;
    if spec.requires_tokens() && image.imds_support() != Some(&ImdsSupportValues::V20) {
        require_tokens(client, &id).await?;
    } else if spec.differences(&image).is_empty() {
        return Ok(image);
    }
    let (image, differences) = available(images, run, &id, COPIED, |image| spec.differences(image)).await?;
    if differences.is_empty() {
        return Ok(image);
    }
    // If it can't be deleted it stays in the ledger, and the clean-up retries.
    let _ = delete::delete(images, run, &id).await;
    Err(CreateImageError::Failed(
        Error::build(format!("could not {doing}: the copy differs from its source: {}", differences.join(", ")))
            .help("The copy was deleted. Compare the source image with the settings in the manifest."),
    ))
}

/// Makes instances of an image require IMDSv2. This can't be reverted (EC2 API, ModifyImageAttribute, ImdsSupport).
pub(crate) async fn require_tokens(client: &Client, image: &str) -> Result<()> {
    let value = AttributeValue::builder().value("v2.0").build();
    let request = client.ec2.modify_image_attribute().image_id(image).imds_support(value);
    client.call("ModifyImageAttribute", &format!("require IMDSv2 of the image {image}"), request.send()).await?;
    Ok(())
}

/// A client token that is the same for every repetition of this call, and different for all others (EC2 API: 64 ASCII
/// characters).
fn token(run: &Run, source: &str, name: &str) -> String {
    hash(&format!("copy\n{}\n{source}\n{name}", run.id()), 48)
}
