//! The disks of an image: the snapshot of each, and the volume that a launch creates from it.

use std::collections::BTreeMap;

use ami_bake_core::plan::{self, Disk, MachineSettings};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image, VolumeType};

/// Defaults of a gp3 volume (EBS user guide, General Purpose SSD volumes): I/O operations and MiB per second.
const GP3: (i32, i32) = (3000, 125);

/// One device of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The device name, such as `/dev/xvda`.
    pub(crate) name: String,
    /// What the device is created from.
    pub(crate) source: DeviceSource,
}

/// What a device is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceSource {
    /// A volume, created from a snapshot or empty.
    Volume(Volume),
    /// A disk of the host, such as `ephemeral0`.
    Host(String),
}

/// A volume as an image describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// ID of the snapshot; `None` for a volume that is empty in each instance.
    pub(crate) snapshot: Option<String>,
    /// Whether an empty volume is encrypted; that of others follows from the snapshot.
    pub(crate) encrypted: Option<bool>,
    /// Size in GiB.
    pub(crate) size: Option<i32>,
    /// Volume type.
    pub(crate) kind: Option<VolumeType>,
    /// I/O operations per second, for types that accept it.
    pub(crate) iops: Option<i32>,
    /// Throughput in MiB per second, for types that accept it.
    pub(crate) throughput: Option<i32>,
    /// True when the volume is deleted with the instance.
    pub(crate) ends_with_instance: bool,
}

/// A snapshot of one of the machine's volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeSnapshot {
    /// The device that the volume is attached as.
    pub(crate) device: String,
    /// ID of the snapshot.
    pub(crate) snapshot: String,
    /// Size in GiB.
    pub(crate) size: Option<i32>,
    /// ID of the account that owns it: the bake's own.
    pub(crate) owner: Option<String>,
}

/// The devices of a captured image: the manifest's values, else the source image's. Settings of the build machine alone
/// (a faster disk, DeleteOnTermination) are not copied.
///
/// # Errors
/// When the snapshots do not include the root device.
pub(crate) fn of_capture(source: &Image, settings: &MachineSettings, taken: &[VolumeSnapshot]) -> Result<Vec<Device>> {
    let root = source.root_device_name().unwrap_or_default();
    if !taken.iter().any(|part| part.device == root) {
        let devices: Vec<&str> = taken.iter().map(|part| part.device.as_str()).collect();
        return Err(Error::build(format!(
            "could not create an image: no snapshot of the root device {root} was created, only of {}",
            if devices.is_empty() { "none".to_owned() } else { devices.join(", ") }
        )));
    }
    let mut devices: Vec<Device> = taken.iter().map(|part| device(part, root, source, settings)).collect();
    devices.extend(settings.volumes.iter().filter_map(described));
    let own = |device: &Device| settings.volumes.iter().any(|volume| volume.device == device.name);
    devices.extend(source.block_device_mappings().iter().filter_map(host).filter(|device| !own(device)));
    devices.sort_by_key(|device| (device.name != root, device.name.clone()));
    Ok(devices)
}

/// The changes to what CreateImage makes of a machine's disks: those that it leaves out, those that it adds, and those
/// that stay when an instance ends. It has no other setting for the disks that exist (EC2 API, CreateImage,
/// BlockDeviceMappings: "The only option that can be changed … is DeleteOnTermination").
pub(crate) fn of_create_image(source: &Image, settings: &MachineSettings) -> Vec<BlockDeviceMapping> {
    let mapping = |device: &str| BlockDeviceMapping::builder().device_name(device);
    let root = source.root_device_name().unwrap_or_default();
    // An empty `NoDevice` leaves a disk out (EC2 API, BlockDeviceMapping).
    let scratch = settings.volumes.iter().filter(|volume| volume.scratch);
    let mut all: Vec<BlockDeviceMapping> = scratch.map(|one| mapping(&one.device).no_device("").build()).collect();
    all.extend(settings.volumes.iter().filter_map(described).map(|device| device.request()));
    let mut stays = |device: &str, asked: Option<bool>| {
        let kept = asked.unwrap_or_else(|| source_disk(source, device).is_none_or(ends_with_instance));
        if !kept && !all.iter().any(|one| one.device_name() == Some(device)) {
            let ebs = EbsBlockDevice::builder().delete_on_termination(false).build();
            all.push(mapping(device).ebs(ebs).build());
        }
    };
    stays(root, settings.disk.delete_on_termination);
    for volume in &settings.volumes {
        stays(&volume.device, volume.disk.delete_on_termination);
    }
    for device in source.block_device_mappings().iter().filter(|one| one.ebs().is_some()) {
        let device = device.device_name().unwrap_or_default();
        if device != root && !settings.volumes.iter().any(|volume| volume.device == device) {
            stays(device, None);
        }
    }
    all
}

/// A disk of the manifest that the image describes and the build machine does not have.
fn described(volume: &plan::Volume) -> Option<Device> {
    let source = match &volume.host {
        Some(name) => DeviceSource::Host(name.clone()),
        None if volume.empty => {
            let disk = &volume.disk;
            let kind = disk.kind.as_deref().map(VolumeType::from);
            let (iops, throughput) = speed(kind.as_ref(), Some(disk), None);
            DeviceSource::Volume(Volume {
                snapshot: None,
                encrypted: disk.encrypted,
                size: disk.size.and_then(|size| i32::try_from(size).ok()),
                kind,
                iops,
                throughput,
                ends_with_instance: disk.delete_on_termination.unwrap_or(true),
            })
        }
        None => return None,
    };
    Some(Device { name: volume.device.clone(), source })
}

/// The volume of this device in an image.
pub(crate) fn source_disk<'a>(image: &'a Image, device: &str) -> Option<&'a EbsBlockDevice> {
    image.block_device_mappings().iter().find(|mapping| mapping.device_name() == Some(device))?.ebs()
}

fn ends_with_instance(ebs: &EbsBlockDevice) -> bool {
    ebs.delete_on_termination().unwrap_or(true)
}

/// The devices of an existing image.
pub(crate) fn of_image(image: &Image) -> Vec<Device> {
    image.block_device_mappings().iter().filter_map(|mapping| volume(mapping).or_else(|| host(mapping))).collect()
}

/// The devices of an image with its snapshots replaced by their copies, where `copies` has any.
pub(crate) fn with_snapshots(image: &Image, copies: &BTreeMap<String, String>) -> Vec<Device> {
    let mut devices = of_image(image);
    for device in &mut devices {
        if let DeviceSource::Volume(volume) = &mut device.source
            && let Some(copy) = volume.snapshot.as_ref().and_then(|snapshot| copies.get(snapshot))
        {
            volume.snapshot = Some(copy.clone());
        }
    }
    devices
}

fn device(part: &VolumeSnapshot, root: &str, source: &Image, settings: &MachineSettings) -> Device {
    let before = source_disk(source, &part.device);
    let asked = if part.device == root {
        Some(&settings.disk)
    } else {
        settings.volumes.iter().find(|volume| volume.device == part.device).map(|volume| &volume.disk)
    };
    let kind = asked
        .and_then(|disk| disk.kind.as_deref())
        .map(VolumeType::from)
        .or_else(|| before.and_then(EbsBlockDevice::volume_type).cloned());
    let (iops, throughput) = speed(kind.as_ref(), asked, before);
    Device {
        name: part.device.clone(),
        source: DeviceSource::Volume(Volume {
            snapshot: Some(part.snapshot.clone()),
            encrypted: None,
            size: part.size.or_else(|| before.and_then(EbsBlockDevice::volume_size)),
            kind,
            iops,
            throughput,
            ends_with_instance: asked
                .and_then(|disk| disk.delete_on_termination)
                .unwrap_or_else(|| before.is_none_or(ends_with_instance)),
        }),
    }
}

/// I/O operations and MiB per second: the manifest's, else the source's if the type is the same, else the type's
/// defaults. For gp3 both are always set, so that no value of the bake's fast disk remains.
fn speed(
    kind: Option<&VolumeType>,
    asked: Option<&Disk>,
    before: Option<&EbsBlockDevice>,
) -> (Option<i32>, Option<i32>) {
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    let same = before.filter(|before| before.volume_type() == kind);
    let iops = number(asked.and_then(|disk| disk.iops)).or_else(|| same.and_then(EbsBlockDevice::iops));
    let throughput =
        number(asked.and_then(|disk| disk.throughput)).or_else(|| same.and_then(EbsBlockDevice::throughput));
    match kind {
        Some(VolumeType::Gp3) => (iops.or(Some(GP3.0)), throughput.or(Some(GP3.1))),
        Some(VolumeType::Io1 | VolumeType::Io2) => (iops, None),
        // RegisterImage refuses the values for all other types.
        _ => (None, None),
    }
}

fn volume(mapping: &BlockDeviceMapping) -> Option<Device> {
    let ebs = mapping.ebs()?;
    let told = |value: Option<i32>, kinds: &[VolumeType]| {
        value.filter(|_| ebs.volume_type().is_some_and(|kind| kinds.contains(kind)))
    };
    let snapshot = ebs.snapshot_id().filter(|id| !id.is_empty()).map(str::to_owned);
    Some(Device {
        name: mapping.device_name()?.to_owned(),
        source: DeviceSource::Volume(Volume {
            encrypted: ebs.encrypted().filter(|_| snapshot.is_none()),
            snapshot,
            size: ebs.volume_size(),
            kind: ebs.volume_type().cloned(),
            iops: told(ebs.iops(), &[VolumeType::Gp3, VolumeType::Io1, VolumeType::Io2]),
            throughput: told(ebs.throughput(), &[VolumeType::Gp3]),
            ends_with_instance: ends_with_instance(ebs),
        }),
    })
}

fn host(mapping: &BlockDeviceMapping) -> Option<Device> {
    let name = mapping.virtual_name().filter(|name| name.starts_with("ephemeral"))?;
    Some(Device { name: mapping.device_name()?.to_owned(), source: DeviceSource::Host(name.to_owned()) })
}

impl Device {
    /// ID of the device's snapshot, if it has one.
    pub(crate) fn snapshot(&self) -> Option<&str> {
        match &self.source {
            DeviceSource::Volume(volume) => volume.snapshot.as_deref(),
            DeviceSource::Host(_) => None,
        }
    }

    /// The device for RegisterImage. Encryption follows from the snapshot, and can be set of an empty volume alone (EC2
    /// API, EbsBlockDevice).
    pub(crate) fn request(&self) -> BlockDeviceMapping {
        let mapping = BlockDeviceMapping::builder().device_name(&self.name);
        match &self.source {
            DeviceSource::Host(name) => mapping.virtual_name(name).build(),
            DeviceSource::Volume(volume) => mapping
                .ebs(
                    EbsBlockDevice::builder()
                        .set_snapshot_id(volume.snapshot.clone())
                        .set_encrypted(volume.encrypted.filter(|_| volume.snapshot.is_none()))
                        .set_volume_size(volume.size)
                        .set_volume_type(volume.kind.clone())
                        .set_iops(volume.iops)
                        .set_throughput(volume.throughput)
                        .delete_on_termination(volume.ends_with_instance)
                        .build(),
                )
                .build(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ebs(
        device: &str,
        change: impl FnOnce(
            aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder,
        ) -> aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder,
    ) -> BlockDeviceMapping {
        let ebs = EbsBlockDevice::builder().snapshot_id("snap-old").volume_size(8).delete_on_termination(true);
        BlockDeviceMapping::builder().device_name(device).ebs(change(ebs).build()).build()
    }

    fn image(mappings: Vec<BlockDeviceMapping>) -> Image {
        Image::builder().root_device_name("/dev/xvda").set_block_device_mappings(Some(mappings)).build()
    }

    fn taken(device: &str, size: i32) -> VolumeSnapshot {
        VolumeSnapshot {
            device: device.to_owned(),
            snapshot: format!("snap-{}", device.trim_start_matches("/dev/")),
            size: Some(size),
            owner: None,
        }
    }

    /// A volume for comparison: device, GiB, IOPS, MiB per second, whether it is deleted with its instance.
    type Short<'a> = (&'a str, Option<i32>, Option<i32>, Option<i32>, bool);

    fn volumes(devices: &[Device]) -> Vec<Short<'_>> {
        let short = |device: &'_ Device| match &device.source {
            DeviceSource::Volume(volume) => {
                Some((volume.size, volume.iops, volume.throughput, volume.ends_with_instance))
            }
            DeviceSource::Host(_) => None,
        };
        devices
            .iter()
            .filter_map(|device| {
                short(device).map(|(size, iops, speed, ends)| (device.name.as_str(), size, iops, speed, ends))
            })
            .collect()
    }

    #[test]
    fn the_fast_disk_leaves_no_trace() {
        let source = image(vec![ebs("/dev/xvda", |ebs| ebs.volume_type(VolumeType::Gp3).iops(3000).throughput(125))]);
        let devices = of_capture(&source, &MachineSettings::default(), &[taken("/dev/xvda", 8)]).unwrap();
        assert_eq!(volumes(&devices), [("/dev/xvda", Some(8), Some(3000), Some(125), true)]);
        // The source's speed is unknown: gp3's defaults are set explicitly.
        let source = image(vec![ebs("/dev/xvda", |ebs| ebs.volume_type(VolumeType::Gp3))]);
        let devices = of_capture(&source, &MachineSettings::default(), &[taken("/dev/xvda", 8)]).unwrap();
        assert_eq!(volumes(&devices), [("/dev/xvda", Some(8), Some(3000), Some(125), true)]);
    }

    #[test]
    fn the_manifest_wins_over_the_source() {
        let disk = plan::Disk {
            size: Some(20),
            kind: Some("gp3".to_owned()),
            iops: Some(5000),
            throughput: Some(300),
            ..plan::Disk::default()
        };
        let data =
            plan::Disk { size: Some(50), kind: Some("io2".to_owned()), iops: Some(900), ..plan::Disk::default() };
        let settings = MachineSettings {
            disk,
            volumes: vec![plan::Volume { device: "/dev/sdf".to_owned(), disk: data, ..plan::Volume::default() }],
            ..MachineSettings::default()
        };
        let source = image(vec![ebs("/dev/xvda", |ebs| ebs.volume_type(VolumeType::Gp2))]);
        let devices = of_capture(&source, &settings, &[taken("/dev/sdf", 50), taken("/dev/xvda", 20)]).unwrap();
        assert_eq!(
            volumes(&devices),
            [("/dev/xvda", Some(20), Some(5000), Some(300), true), ("/dev/sdf", Some(50), Some(900), None, true)]
        );
    }

    #[test]
    fn values_of_another_type_are_not_carried_over() {
        let settings = MachineSettings {
            disk: plan::Disk { kind: Some("gp3".to_owned()), ..plan::Disk::default() },
            ..MachineSettings::default()
        };
        let source = image(vec![ebs("/dev/xvda", |ebs| {
            ebs.volume_type(VolumeType::Io1).iops(9000).delete_on_termination(false)
        })]);
        let devices = of_capture(&source, &settings, &[taken("/dev/xvda", 8)]).unwrap();
        assert_eq!(volumes(&devices), [("/dev/xvda", Some(8), Some(3000), Some(125), false)]);
        // DescribeImages reports 100 IOPS for a gp2 volume of 8 GiB; RegisterImage refuses that value.
        let source = image(vec![ebs("/dev/xvda", |ebs| ebs.volume_type(VolumeType::Gp2).iops(100))]);
        let devices = of_capture(&source, &MachineSettings::default(), &[taken("/dev/xvda", 8)]).unwrap();
        assert_eq!(volumes(&devices), [("/dev/xvda", Some(8), None, None, true)]);
        assert_eq!(volumes(&of_image(&source)), [("/dev/xvda", Some(8), None, None, true)]);
    }

    #[test]
    fn disks_of_the_image_alone_are_described() {
        let kept = plan::Disk { delete_on_termination: Some(false), ..plan::Disk::default() };
        let empty = plan::Disk { size: Some(9), kind: Some("gp3".to_owned()), encrypted: Some(true), ..kept.clone() };
        let volume = |device: &str| plan::Volume { device: device.to_owned(), ..plan::Volume::default() };
        let settings = MachineSettings {
            disk: kept,
            volumes: vec![
                plan::Volume { disk: empty, empty: true, ..volume("/dev/sdf") },
                plan::Volume { host: Some("ephemeral0".to_owned()), ..volume("/dev/sdb") },
                plan::Volume { scratch: true, ..volume("/dev/sdg") },
            ],
            ..MachineSettings::default()
        };
        let host = BlockDeviceMapping::builder().device_name("/dev/sdc").virtual_name("ephemeral1").build();
        let source =
            image(vec![ebs("/dev/xvda", |ebs| ebs), ebs("/dev/sdh", |ebs| ebs.delete_on_termination(false)), host]);
        let parts = [taken("/dev/xvda", 8), taken("/dev/sdh", 5)];
        let devices = of_capture(&source, &settings, &parts).unwrap();
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["/dev/xvda", "/dev/sdb", "/dev/sdc", "/dev/sdf", "/dev/sdh"]);
        let requested: Vec<BlockDeviceMapping> = devices.iter().map(Device::request).collect();
        let empty = requested[3].ebs().unwrap();
        assert_eq!((empty.snapshot_id(), empty.encrypted(), empty.volume_size()), (None, Some(true), Some(9)));
        assert_eq!(requested[0].ebs().unwrap().encrypted(), None, "it follows from the snapshot");
        assert_eq!(requested[1].virtual_name(), Some("ephemeral0"));
        // What is registered is read back whole.
        let registered = image(requested.clone());
        assert_eq!(of_image(&registered), devices);
        let copies = BTreeMap::from([("snap-xvda".to_owned(), "snap-copy".to_owned())]);
        let copied: Vec<Option<String>> =
            with_snapshots(&registered, &copies).iter().map(|one| one.snapshot().map(str::to_owned)).collect();
        assert_eq!(copied[0].as_deref(), Some("snap-copy"));
        assert_eq!(copied[3], None);
        // CreateImage takes the machine's disks as they are: the rest is said.
        let changes = of_create_image(&source, &settings);
        let change = |device: &str| changes.iter().find(|one| one.device_name() == Some(device)).unwrap();
        assert_eq!(change("/dev/sdg").no_device(), Some(""));
        assert_eq!(change("/dev/sdb").virtual_name(), Some("ephemeral0"));
        assert_eq!(change("/dev/sdf").ebs().unwrap().volume_size(), Some(9));
        for device in ["/dev/xvda", "/dev/sdh"] {
            let stays = EbsBlockDevice::builder().delete_on_termination(false).build();
            assert_eq!(change(device).ebs(), Some(&stays), "{device}");
        }
        assert_eq!(changes.len(), 5, "{changes:?}");
    }

    #[test]
    fn host_disks_stay_and_a_missing_root_is_refused() {
        let host = BlockDeviceMapping::builder().device_name("/dev/sdb").virtual_name("ephemeral0").build();
        let source = image(vec![host, ebs("/dev/xvda", |ebs| ebs)]);
        let devices = of_capture(&source, &MachineSettings::default(), &[taken("/dev/xvda", 8)]).unwrap();
        assert_eq!(devices[1].source, DeviceSource::Host("ephemeral0".to_owned()));
        assert_eq!(devices[1].request().virtual_name(), Some("ephemeral0"));
        let error = of_capture(&source, &MachineSettings::default(), &[taken("/dev/sdf", 8)]).unwrap_err();
        assert!(error.to_string().contains("root device /dev/xvda"), "{error}");
    }
}
