//! The UEFI variables of an image, which contain its Secure Boot keys.

use ami_bake_core::Run;
use aws_sdk_ec2::types::{BootModeValues, Image, ImageAttributeName, TpmSupportValues};

use super::images::Images;
use super::spec::ImageSpec;
use crate::client::Client;

/// Fills in what `like` was registered with, where no machine told its own. `account` is the bake's own, where it is known.
pub(crate) async fn fill(images: &Images, run: &Run, spec: &mut ImageSpec, like: &Image, account: Option<&str>) {
    let Some(id) = like.image_id().filter(|_| spec.has_uefi()) else { return };
    let known = images.known_uefi(id);
    spec.uefi_data = match known {
        Some(known) => known,
        None if may_have_some(like, account) => {
            let data = ask(&images.client, run, like, id).await;
            images.keep_uefi(id, data.clone());
            data
        }
        None => None,
    };
}

/// False for public images of other accounts: only the owner may read their attributes.
fn may_have_some(like: &Image, account: Option<&str>) -> bool {
    let foreign = matches!((like.owner_id(), account), (Some(owner), Some(account)) if owner != account);
    !(foreign && like.public() == Some(true) && like.tpm_support().is_none())
}

/// What a machine says of its UEFI variables, base64; none where it has no such thing.
pub(crate) struct MachineVariables(pub(crate) Option<String>);

/// Reads the variables of a running machine: keys that a build step enrolled are in them, the source's are not all of them
/// (EC2 user guide, "UEFI Secure Boot": what GetInstanceUefiData answers is what RegisterImage takes). None where they can't
/// be read.
pub(crate) async fn of_machine(client: &Client, run: &Run, source: &Image, machine: &str) -> Option<MachineVariables> {
    if !matches!(source.boot_mode(), Some(BootModeValues::Uefi | BootModeValues::UefiPreferred)) {
        return Some(MachineVariables(None));
    }
    match client.ask("GetInstanceUefiData", client.ec2.get_instance_uefi_data().instance_id(machine).send()).await {
        Ok(answer) => Some(MachineVariables(answer.uefi_data.filter(|data| !data.is_empty()))),
        // It booted with BIOS, which `uefi-preferred` leaves to the machine type.
        Err(failure) if failure.is(&["UnsupportedOperation"]) => Some(MachineVariables(None)),
        Err(failure) => {
            run.progress(format!(
                "UEFI variables of {machine} can't be read ({}); using those of the source image",
                failure.code()
            ));
            None
        }
    }
}

async fn ask(client: &Client, run: &Run, like: &Image, id: &str) -> Option<String> {
    let request = client.ec2.describe_image_attribute().image_id(id).attribute(ImageAttributeName::UefiData);
    match client.ask("DescribeImageAttribute", request.send()).await {
        Ok(answer) => answer.uefi_data.and_then(|data| data.value).filter(|data| !data.is_empty()),
        Err(failure) => {
            // Without a TPM nothing measures the boot, so the variables are not needed.
            if like.tpm_support() == Some(&TpmSupportValues::V20) {
                run.warn(
                    format!("could not read the UEFI variables of {id} ({}): the new image has none", failure.code()),
                    Some("Secure Boot keys of the source image must be enrolled again.".to_owned()),
                );
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_image_of_others_is_not_asked() {
        let image = || Image::builder().owner_id("099720109477").public(true);
        assert!(!may_have_some(&image().build(), Some("123456789012")));
        assert!(may_have_some(&image().build(), Some("099720109477")));
        assert!(may_have_some(&image().build(), None));
        assert!(may_have_some(&image().public(false).build(), Some("123456789012")));
        assert!(may_have_some(&image().tpm_support(TpmSupportValues::V20).build(), Some("123456789012")));
    }
}
