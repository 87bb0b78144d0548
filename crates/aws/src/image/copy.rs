//! CopyImage: the only way to another name for images whose billing code RegisterImage would lose.

use std::time::Duration;

use ami_bake_core::ledger::{Closed, IMAGE};
use ami_bake_core::platform::Registration;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::{AttributeValue, Image, ImdsSupportValues, ResourceType};
use sha2::{Digest as _, Sha256};

use super::create::{DUPLICATE, NotMade, available};
use super::delete;
use super::wanted::Wanted;
use crate::client::Client;
use crate::machine::specification;
use crate::platform::{Inner, PLATFORM};

/// CopyImage takes some five minutes whatever the size, an hour at worst (research: latency).
const COPIED: Duration = Duration::from_hours(3);

/// Where a copy comes from, and what it must be.
pub(crate) struct Origin<'a> {
    /// The region of the image that is copied.
    pub(crate) region: &'a str,
    /// The key that encrypts the copy; the source's own way without.
    pub(crate) kms_key: Option<&'a str>,
    /// Why it is CopyImage, in words.
    pub(crate) why: &'a str,
}

/// Copies an image to its final name in this region, and waits until it can be launched.
pub(crate) async fn copy(
    aws: &Inner,
    run: &Run,
    from: &Image,
    name: &str,
    registration: &Registration<'_>,
    origin: &Origin<'_>,
) -> Result<Image, NotMade> {
    let client = &aws.client;
    let source = from.image_id().unwrap_or_default();
    let doing = format!("copy the image {source} to the name {name:?}");
    run.check()?;
    run.progress(format!("copying {source} to {}: {}", client.place(), origin.why));
    let ticket = run.intend(PLATFORM, IMAGE, Some(client.region()), name)?;
    let request = client
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
        .tag_specifications(specification(ResourceType::Snapshot, &registration.tags));
    let id = match client.ask("CopyImage", request.send()).await {
        Ok(answer) => answer.image_id.unwrap_or_default(),
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            if failure.is(&[DUPLICATE]) {
                return Err(NotMade::Taken);
            }
            return Err(NotMade::Failed(client.explain(*failure, &doing).await));
        }
    };
    aws.captures.young.born(&id);
    run.ledger().confirm(ticket, &id)?;
    let wanted = Wanted::copy_of(from, name, &registration.plan.settings, origin.kms_key.is_some());
    let (image, _) = available(aws, run, &id, COPIED, |_| Vec::new()).await?;
    if wanted.requires_tokens() && image.imds_support() != Some(&ImdsSupportValues::V20) {
        require_tokens(client, &id).await?;
    } else if wanted.differences(&image).is_empty() {
        return Ok(image);
    }
    let (image, differences) = available(aws, run, &id, COPIED, |image| wanted.differences(image)).await?;
    if differences.is_empty() {
        return Ok(image);
    }
    delete::delete(aws, run, &id).await?;
    Err(NotMade::Failed(
        Error::build(format!("{doing}: EC2 made it otherwise than its source: {}", differences.join(", ")))
            .help("The copy was deleted again. Compare the source image with its description in the manifest."),
    ))
}

/// Makes instances of an image require IMDSv2. It can't be taken back (EC2 API, ModifyImageAttribute, ImdsSupport).
pub(crate) async fn require_tokens(client: &Client, image: &str) -> Result<()> {
    let value = AttributeValue::builder().value("v2.0").build();
    let request = client.ec2.modify_image_attribute().image_id(image).imds_support(value);
    client.call("ModifyImageAttribute", &format!("require IMDSv2 of the image {image}"), request.send()).await?;
    Ok(())
}

/// The same for every repetition of this call, another for every other (EC2 API, client tokens: 64 ASCII characters).
fn token(run: &Run, source: &str, name: &str) -> String {
    use std::fmt::Write as _;
    let hash = Sha256::digest(format!("copy\n{}\n{source}\n{name}", run.id()));
    hash.iter().take(24).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
