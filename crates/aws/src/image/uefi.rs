//! The UEFI variables of an image: its Secure Boot keys, where it has any.

use ami_bake_core::Run;
use aws_sdk_ec2::types::{Image, ImageAttributeName, TpmSupportValues};

use super::wanted::Wanted;
use crate::platform::Inner;

/// Fills in what `like` was registered with. Most images have none; of another account's image EC2 may not tell.
pub(crate) async fn fill(aws: &Inner, run: &Run, wanted: &mut Wanted, like: &Image) {
    let Some(id) = like.image_id().filter(|_| wanted.has_uefi()) else { return };
    let request = aws.client.ec2.describe_image_attribute().image_id(id).attribute(ImageAttributeName::UefiData);
    match aws.client.ask("DescribeImageAttribute", request.send()).await {
        Ok(answer) => {
            wanted.uefi_data = answer.uefi_data.and_then(|data| data.value).filter(|data| !data.is_empty());
        }
        // Without TPM nothing measures the boot, and nobody misses the variables.
        Err(failure) if like.tpm_support() == Some(&TpmSupportValues::V20) => run.warn(
            format!(
                "the UEFI variables of {id} can't be read ({}), so that the image starts without them",
                failure.code()
            ),
            Some("Secure Boot keys that the source image brings have to be enrolled again.".to_owned()),
        ),
        Err(_) => {}
    }
}
