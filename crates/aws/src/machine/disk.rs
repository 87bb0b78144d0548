//! The disks of a machine at its launch.

use ami_bake_core::plan::{Disk, MachineSettings, Phase};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image, VolumeType};

use crate::image::is_plain_linux;

/// Default and limits of small gp3 volumes (<https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html>):
/// IOPS up to 500 per GiB, throughput up to a quarter of the IOPS.
const GP3_IOPS: u32 = 3000;
const GP3_IOPS_PER_GIB: u32 = 500;
/// IOPS of the build machine's root: 1,000 MiB/s need 4,000 IOPS. The snapshot of an 8 GiB root is 50–70 s faster, for
/// cents.
const FAST_IOPS: u32 = 4000;
const FAST_THROUGHPUT: u32 = 1000;

/// The mapping for RunInstances: the image's EBS devices with the manifest's values, and the manifest's further
/// volumes. Every volume is deleted with the machine.
pub(super) fn mappings(image: &Image, settings: &MachineSettings, phase: Phase) -> Result<Vec<BlockDeviceMapping>> {
    let root = image.root_device_name().unwrap_or_default();
    let mut all = Vec::new();
    for mapping in image.block_device_mappings() {
        let (Some(device), Some(ebs)) = (mapping.device_name(), mapping.ebs()) else { continue };
        let disk = if device == root { settings.disk.clone() } else { Disk::default() };
        let mut wanted = with(&disk);
        if device == root {
            let size = fitting("disk", &disk, ebs, image)?;
            if let Some((iops, throughput)) = fast(image, ebs, &disk, size, phase) {
                wanted = wanted.volume_type(VolumeType::Gp3).iops(number(iops)).throughput(number(throughput));
            }
        }
        all.push(BlockDeviceMapping::builder().device_name(device).ebs(wanted.build()).build());
    }
    for volume in &settings.volumes {
        if volume.device == root {
            return Err(Error::manifest(format!("{} is the root device of the source image", volume.device))
                .help("Set its size and type under `machine: {disk: …}`."));
        }
        // A test machine does not have it, since it is not in the image.
        if volume.scratch && phase == Phase::Test {
            continue;
        }
        let source = image.block_device_mappings().iter().find(|one| one.device_name() == Some(&volume.device));
        match source.and_then(BlockDeviceMapping::ebs) {
            Some(ebs) => fitting(&volume.device, &volume.disk, ebs, image).map(drop)?,
            None if volume.disk.size.is_none() => {
                let id = image.image_id().unwrap_or_default();
                return Err(Error::preflight(format!(
                    "the volume {} has no size, and the source image {id} has no such volume",
                    volume.device
                ))
                .help("Add `size`, in GiB, or use the device name of a volume of the source image."));
            }
            None => {}
        }
        all.retain(|mapping| mapping.device_name() != Some(volume.device.as_str()));
        all.push(BlockDeviceMapping::builder().device_name(&volume.device).ebs(with(&volume.disk).build()).build());
    }
    Ok(all)
}

/// The manifest's values; omitted ones come from the image or EC2.
fn with(disk: &Disk) -> aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder {
    EbsBlockDevice::builder()
        .delete_on_termination(true)
        .set_volume_size(disk.size.map(number))
        .set_volume_type(disk.kind.as_deref().map(VolumeType::from))
        .set_iops(disk.iops.map(number))
        .set_throughput(disk.throughput.map(number))
        // A customer key has no effect on an unencrypted volume; EC2 refuses the combination.
        .set_encrypted(disk.encrypted.or(disk.kms_key.is_some().then_some(true)))
        .set_kms_key_id(disk.kms_key.clone())
}

/// The size in GiB that a volume of the image gets. `what` names it: `disk`, or its device.
///
/// # Errors
/// When EC2 would refuse the volume: it can't be smaller than the image's, and the image's type, where the manifest sets
/// no other one, decides what speed can be set (EC2 API, EbsBlockDevice).
fn fitting(what: &str, disk: &Disk, ebs: &EbsBlockDevice, image: &Image) -> Result<u32> {
    let id = image.image_id().unwrap_or_default();
    let least = ebs.volume_size().and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
    let name = if what == "disk" { "root disk" } else { what };
    if let Some(size) = disk.size.filter(|size| *size < least) {
        return Err(Error::preflight(format!(
            "the {name} of {size} GiB is smaller than the {least} GiB of the source image {id}"
        ))
        .help(format!("Set its `size` to {least} or more, or remove the size.")));
    }
    let size = disk.size.unwrap_or(least);
    if disk.kind.is_some() {
        return Ok(size);
    }
    let kind = ebs.volume_type().map_or("gp2", VolumeType::as_str);
    let per_gib = match kind {
        "gp3" => Some(GP3_IOPS_PER_GIB),
        "io1" => Some(50),
        "io2" => Some(1000),
        _ => None,
    };
    let refuse = |key: &str, why: String| {
        Error::preflight(format!("could not set `{key}` of the {name}: {why}")).help(format!(
            "The source image {id} has a volume of type {kind}. Set `type` beside `{key}`, for example `type: gp3`."
        ))
    };
    match (disk.iops, per_gib) {
        (Some(_), None) => return Err(refuse("iops", format!("volumes of type {kind} have no such setting"))),
        (Some(iops), Some(per_gib)) if iops > GP3_IOPS.max(size.saturating_mul(per_gib)) => {
            return Err(refuse("iops", format!("{iops} IOPS are too many for {size} GiB")));
        }
        _ => {}
    }
    if disk.throughput.is_some() && kind != "gp3" {
        return Err(refuse("throughput", format!("volumes of type {kind} have no such setting")));
    }
    Ok(size)
}

/// IOPS and throughput of the root of a build machine, if `fast` is set and can be reverted: only when the capture
/// registers the mapping itself.
fn fast(image: &Image, ebs: &EbsBlockDevice, disk: &Disk, size: u32, phase: Phase) -> Option<(u32, u32)> {
    let kind = disk.kind.as_deref().or(ebs.volume_type().map(VolumeType::as_str)).unwrap_or("gp2");
    let wanted = match disk.fast {
        Some(false) => false,
        Some(true) => matches!(kind, "gp2" | "gp3"),
        None => kind == "gp3",
    };
    if !wanted || phase == Phase::Test || !is_plain_linux(image) {
        return None;
    }
    let most = GP3_IOPS.max(size.saturating_mul(GP3_IOPS_PER_GIB));
    let iops = FAST_IOPS.min(most).max(disk.iops.unwrap_or(0));
    let throughput = FAST_THROUGHPUT.min(iops / 4).max(disk.throughput.unwrap_or(0));
    Some((iops, throughput))
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::Volume;

    use super::*;

    fn image(kind: &VolumeType, size: i32) -> Image {
        let ebs = |size| EbsBlockDevice::builder().volume_size(size).volume_type(kind.clone()).build();
        Image::builder()
            .image_id("ami-1")
            .root_device_name("/dev/xvda")
            .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs(size)).build())
            .block_device_mappings(
                BlockDeviceMapping::builder().device_name("/dev/sdb").virtual_name("ephemeral0").build(),
            )
            .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/sdc").ebs(ebs(5)).build())
            .build()
    }

    fn speed(image: &Image, settings: &MachineSettings, phase: Phase) -> (Option<i32>, Option<i32>) {
        let all = mappings(image, settings, phase).unwrap();
        let root = all[0].ebs().unwrap();
        (root.iops(), root.throughput())
    }

    #[test]
    fn a_gp3_root_is_fast_while_baking_alone() {
        let settings = MachineSettings::default();
        assert_eq!(speed(&image(&VolumeType::Gp3, 8), &settings, Phase::Build), (Some(4000), Some(1000)));
        assert_eq!(speed(&image(&VolumeType::Gp3, 2), &settings, Phase::Build), (Some(3000), Some(750)));
        assert_eq!(speed(&image(&VolumeType::Gp3, 8), &settings, Phase::Test), (None, None));
        assert_eq!(speed(&image(&VolumeType::Gp2, 8), &settings, Phase::Build), (None, None));
        let slow = MachineSettings { disk: Disk { fast: Some(false), ..Disk::default() }, ..settings };
        assert_eq!(speed(&image(&VolumeType::Gp3, 8), &slow, Phase::Build), (None, None));
    }

    #[test]
    fn every_volume_goes_with_the_machine() {
        let volume =
            Volume { device: "/dev/sdf".to_owned(), disk: Disk { size: Some(20), ..Disk::default() }, scratch: false };
        let settings = MachineSettings { volumes: vec![volume], ..MachineSettings::default() };
        let all = mappings(&image(&VolumeType::Gp2, 8), &settings, Phase::Build).unwrap();
        let devices: Vec<_> = all.iter().filter_map(BlockDeviceMapping::device_name).collect();
        assert_eq!(devices, ["/dev/xvda", "/dev/sdc", "/dev/sdf"]);
        assert!(all.iter().all(|mapping| mapping.ebs().unwrap().delete_on_termination() == Some(true)));
    }

    #[test]
    fn a_root_smaller_than_the_image_is_refused() {
        let settings =
            MachineSettings { disk: Disk { size: Some(4), ..Disk::default() }, ..MachineSettings::default() };
        let error = mappings(&image(&VolumeType::Gp3, 8), &settings, Phase::Build).unwrap_err();
        assert!(error.message().contains("4 GiB is smaller than the 8 GiB"), "{error}");
    }

    #[test]
    fn what_a_volume_leaves_out_is_the_source_images() {
        let refusal = |kind: &VolumeType, device: &str, disk: Disk| {
            let volume = Volume { device: device.to_owned(), disk, scratch: false };
            let settings = MachineSettings { volumes: vec![volume], ..MachineSettings::default() };
            mappings(&image(kind, 8), &settings, Phase::Build).err().map(|error| error.message().to_owned())
        };
        let gp3 = || Disk { kind: Some("gp3".to_owned()), ..Disk::default() };
        assert_eq!(refusal(&VolumeType::Gp3, "/dev/sdc", gp3()), None, "the image has a volume there");
        assert!(refusal(&VolumeType::Gp3, "/dev/sdf", gp3()).unwrap().contains("/dev/sdf has no size"));
        assert_eq!(refusal(&VolumeType::Gp3, "/dev/sdf", Disk { size: Some(3), ..gp3() }), None);
        assert!(refusal(&VolumeType::Gp3, "/dev/sdc", Disk { size: Some(3), ..gp3() }).unwrap().contains("5 GiB"));
        let iops = |iops| Disk { iops: Some(iops), ..Disk::default() };
        assert_eq!(refusal(&VolumeType::Gp3, "/dev/sdc", iops(3000)), None);
        assert!(
            refusal(&VolumeType::Gp3, "/dev/sdc", iops(9000)).unwrap().contains("9000 IOPS are too many for 5 GiB")
        );
        assert!(refusal(&VolumeType::Gp2, "/dev/sdc", iops(3000)).unwrap().contains("type gp2 have no such setting"));
        let fast = Disk { throughput: Some(500), ..Disk::default() };
        assert!(refusal(&VolumeType::Io2, "/dev/sdc", fast).unwrap().contains("`throughput` of the /dev/sdc"));
    }
}
