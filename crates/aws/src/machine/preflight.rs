//! What EC2 would refuse of a machine, found out before anything is made.

use ami_bake_core::plan::{ImagePlan, Phase};
use ami_bake_core::{Error, Result, Route, Run};
use aws_sdk_ec2::types::{
    ArchitectureType, ArchitectureValues, BootModeType, BootModeValues, EnaSupport, Image, InstanceTypeInfo,
    NetworkInfo, ProcessorInfo,
};

use super::identity::host_identity;
use super::machines::Machines;
use super::{access, disk, keypair, user};
use crate::client::{one_of, pages};
use crate::image::described;

/// Refuses a machine that can't boot from the plan's source, or that nobody could log in to.
///
/// # Errors
/// [`ami_bake_core::ErrorKind::Preflight`], with what to do.
pub(crate) async fn preflight(machines: &Machines, run: &Run, plan: &ImagePlan) -> Result<()> {
    let image = described(&machines.images, run, &plan.source.id).await?;
    let settings = &plan.machine;
    let at = |field: &'static str| move |error: Error| place(error, &plan.route, field);
    if settings.user.is_none() && user::of(&image).is_none() {
        return Err(at("user")(user::unknown(&image)));
    }
    let snapshots = disk::snapshots(machines.client(), settings).await.map_err(at("volumes"))?;
    disk::mappings(&image, settings, Phase::Build, &snapshots).map_err(at(if settings.volumes.is_empty() {
        "disk"
    } else {
        "volumes"
    }))?;
    let keys = keypair::login(machines, run, settings).await?;
    host_identity(settings, &keys).map_err(at("user-data"))?;
    if let Some(key) = settings.connect.jump.as_ref().and_then(|jump| jump.key.as_deref()) {
        access::read_key(key, "the jump host's key").map_err(at("connect"))?;
    }
    run.until_cancelled(types(machines, run, plan, &image)).await?.map_err(at("type"))
}

fn place(error: Error, image: &Route, field: &str) -> Error {
    if error.route().is_some() { error } else { error.at(image.key("machine").key(field)) }
}

/// Refuses types none of which can boot the image. Those that can't are named where others can.
async fn types(machines: &Machines, run: &Run, plan: &ImagePlan, image: &Image) -> Result<()> {
    let named = &plan.machine.types;
    if named.is_empty() {
        // The default types are chosen by the image.
        return Ok(());
    }
    let client = machines.client();
    let doing = format!("look up the machine types {}", named.join(", "));
    let doing = doing.as_str();
    // A filter: of the parameter one type that the region does not have would fail the question for all.
    let known: Vec<InstanceTypeInfo> = pages(|page| async move {
        let request = client.ec2.describe_instance_types().filters(one_of("instance-type", named));
        let answer = client.call("DescribeInstanceTypes", doing, request.set_next_token(page).send()).await?;
        Ok((answer.instance_types.unwrap_or_default(), answer.next_token))
    })
    .await?;
    let refusals: Vec<String> = named
        .iter()
        .filter_map(|kind| {
            let facts = known.iter().find(|facts| facts.instance_type().is_some_and(|one| one.as_str() == kind));
            match facts {
                None => Some(format!("{kind} does not exist in {}", client.region())),
                Some(facts) => why_not(image, facts).map(|why| format!("{kind} {why}")),
            }
        })
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    let id = image.image_id().unwrap_or_default();
    if refusals.len() < named.len() {
        run.warn(
            format!("not every machine type of {} can boot {id}: {}", plan.key, refusals.join("; ")),
            Some("Remove it from `machine: {type: …}`.".to_owned()),
        );
        return Ok(());
    }
    Err(Error::preflight(format!("no machine type of {} can boot {id}: {}", plan.key, refusals.join("; "))).help(
        "Set types of the source's architecture under `machine: {type: …}`, or remove it for the default types. `aws \
         ec2 describe-instance-types` shows what each supports.",
    ))
}

/// Why a type can't boot an image (EC2 API, InstanceTypeInfo; RunInstances refuses each of these).
fn why_not(image: &Image, facts: &InstanceTypeInfo) -> Option<String> {
    let supported = facts.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
    let architecture = image.architecture().map(ArchitectureValues::as_str);
    if let Some(architecture) = architecture
        && !supported.is_empty()
        && !supported.iter().any(|one| one.as_str() == architecture)
    {
        let own: Vec<&str> = supported.iter().map(ArchitectureType::as_str).collect();
        return Some(format!("is {}, the image {architecture}", own.join(" or ")));
    }
    let modes = facts.supported_boot_modes();
    let missing = match image.boot_mode() {
        Some(BootModeValues::Uefi) => BootModeType::Uefi,
        Some(BootModeValues::LegacyBios) => BootModeType::LegacyBios,
        // `uefi-preferred` boots either way.
        _ => return ena(image, facts),
    };
    if !modes.is_empty() && !modes.contains(&missing) {
        return Some(format!("does not support the image's boot mode {}", missing.as_str()));
    }
    ena(image, facts)
}

/// Types whose network is ENA boot only images that say that they support it.
fn ena(image: &Image, facts: &InstanceTypeInfo) -> Option<String> {
    let required = facts.network_info().and_then(NetworkInfo::ena_support) == Some(&EnaSupport::Required);
    (required && image.ena_support() != Some(true)).then(|| "needs an image with ENA support".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_must_fit_the_image() {
        let facts = |architecture: ArchitectureType| {
            InstanceTypeInfo::builder()
                .processor_info(ProcessorInfo::builder().supported_architectures(architecture).build())
                .network_info(NetworkInfo::builder().ena_support(EnaSupport::Required).build())
                .supported_boot_modes(BootModeType::Uefi)
                .build()
        };
        let image = || Image::builder().architecture(ArchitectureValues::X8664).ena_support(true);
        let why = |image: Image| why_not(&image, &facts(ArchitectureType::X8664));
        assert_eq!(why(image().build()), None);
        assert_eq!(why(image().boot_mode(BootModeValues::UefiPreferred).build()), None);
        assert!(why(image().boot_mode(BootModeValues::LegacyBios).build()).unwrap().contains("boot mode legacy-bios"));
        assert!(why(image().ena_support(false).build()).unwrap().contains("ENA"));
        let arm = why_not(&image().build(), &facts(ArchitectureType::Arm64));
        assert_eq!(arm.as_deref(), Some("is arm64, the image x86_64"));
    }
}
