//! The disks of a machine at its launch.

use std::collections::HashMap;

use ami_bake_core::plan::{Disk, MachineSettings, Phase, Volume};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image, Snapshot, SnapshotState, VolumeType};

use crate::client::Client;
use crate::image::{is_plain_linux, source_disk};

/// Default and limits of small gp3 volumes (<https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html>):
/// IOPS up to 500 per GiB, throughput up to a quarter of the IOPS.
const GP3_IOPS: u32 = 3000;
const GP3_IOPS_PER_GIB: u32 = 500;
/// IOPS of the build machine's root: 1,000 MiB/s need 4,000 IOPS. The snapshot of an 8 GiB root is 50–70 s faster, for
/// cents.
const FAST_IOPS: u32 = 4000;
const FAST_THROUGHPUT: u32 = 1000;
/// Minimum size of st1 and sc1 volumes in GiB (EC2 API, EbsBlockDevice).
const SMALLEST_HDD: u32 = 125;

/// The snapshots that the manifest's volumes are created from, by ID.
pub(super) type Snapshots = HashMap<String, Snapshot>;

/// Looks up the snapshots that the build machine's volumes are created from.
///
/// # Errors
/// When one does not exist, is not shared with the account, or can't be used yet.
pub(super) async fn snapshots(client: &Client, settings: &MachineSettings) -> Result<Snapshots> {
    let mut found = Snapshots::new();
    for volume in &settings.volumes {
        let Some(id) = volume.snapshot.as_deref().filter(|id| !found.contains_key(*id)) else { continue };
        let doing = format!("look up the snapshot {id} of {}", volume.device);
        let answer = client.ask("DescribeSnapshots", client.ec2.describe_snapshots().snapshot_ids(id).send()).await;
        let snapshot = match answer {
            Ok(answer) => answer.snapshots.unwrap_or_default().into_iter().next(),
            Err(failure) if failure.is(&["InvalidSnapshot.NotFound"]) => None,
            Err(failure) => return Err(client.explain(*failure, &doing).await),
        };
        let Some(snapshot) = snapshot else {
            return Err(Error::preflight(format!(
                "the snapshot {id} of {} does not exist in {}, or it is not shared with this account",
                volume.device,
                client.place()
            ))
            .help(
                "A snapshot can be used in its own region. `aws ec2 describe-snapshots --owner-ids self` lists yours.",
            ));
        };
        if let Some(state) = snapshot.state().filter(|state| **state != SnapshotState::Completed) {
            return Err(Error::preflight(format!(
                "the snapshot {id} of {} can't be used: it is {}",
                volume.device,
                state.as_str()
            ))
            .help("Wait until it is completed, or use another one."));
        }
        found.insert(id.to_owned(), snapshot);
    }
    Ok(found)
}

/// The mapping for RunInstances: the image's EBS devices with the manifest's values, and the manifest's further
/// volumes. Every volume is deleted with the machine.
pub(super) fn mappings(
    image: &Image,
    settings: &MachineSettings,
    phase: Phase,
    snapshots: &Snapshots,
) -> Result<Vec<BlockDeviceMapping>> {
    let root = image.root_device_name().unwrap_or_default();
    let mut all = Vec::new();
    for mapping in image.block_device_mappings() {
        let (Some(device), Some(ebs)) = (mapping.device_name(), mapping.ebs()) else { continue };
        let disk = if device == root { settings.disk.clone() } else { Disk::default() };
        let mut wanted = with(&disk);
        if device == root {
            let size = fitting("disk", &disk, &Base::of_image(image, ebs))?;
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
        let source = source_disk(image, &volume.device);
        let mapping = BlockDeviceMapping::builder().device_name(&volume.device);
        let mapped = match phase {
            // The image describes what it has. It does not have a scratch disk.
            Phase::Test if volume.scratch || volume.empty || volume.host.is_some() => None,
            _ if volume.host.is_some() => Some(mapping.set_virtual_name(volume.host.clone()).build()),
            // The build machine does without, also if the source image has a disk there.
            _ if volume.empty => source.map(|_| mapping.no_device("").build()),
            _ => {
                let snapshot = volume.snapshot.as_deref().filter(|_| phase != Phase::Test);
                let base = match (snapshot.and_then(|id| snapshots.get(id)), source) {
                    (Some(snapshot), source) => Base::of_snapshot(image, snapshot, source),
                    (None, Some(ebs)) => Base::of_image(image, ebs),
                    (None, None) => Base::new_volume(image, volume)?,
                };
                fitting(&volume.device, &volume.disk, &base)?;
                let ebs = with(&volume.disk).set_snapshot_id(snapshot.map(str::to_owned));
                Some(mapping.ebs(ebs.build()).build())
            }
        };
        let replaced = mapped.is_some();
        all.retain(|mapping| !replaced || mapping.device_name() != Some(volume.device.as_str()));
        all.extend(mapped);
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

/// What EC2 fills in where the manifest sets nothing.
struct Base<'a> {
    /// What it comes from, for messages: `the source image ami-…`, `the snapshot snap-…`.
    from: String,
    /// Minimum size in GiB.
    least: u32,
    /// Type of the volume.
    kind: &'a str,
    encrypted: bool,
}

/// Type of a volume that neither the request nor the image says
/// (<https://aws.amazon.com/about-aws/whats-new/2019/07/ebs-default-volume-type-updated-to-gp2/>).
const DEFAULT_TYPE: &str = "gp2";

impl<'a> Base<'a> {
    fn of_image(image: &Image, ebs: &'a EbsBlockDevice) -> Self {
        Self {
            from: format!("the source image {}", image.image_id().unwrap_or_default()),
            least: gibibytes(ebs.volume_size()),
            kind: ebs.volume_type().map_or(DEFAULT_TYPE, VolumeType::as_str),
            encrypted: ebs.encrypted() == Some(true),
        }
    }

    fn of_snapshot(image: &Image, snapshot: &Snapshot, source: Option<&'a EbsBlockDevice>) -> Self {
        let kind = source.map_or(DEFAULT_TYPE, |ebs| Self::of_image(image, ebs).kind);
        Self {
            from: format!("the snapshot {}", snapshot.snapshot_id().unwrap_or_default()),
            least: gibibytes(snapshot.volume_size()),
            kind,
            encrypted: snapshot.encrypted() == Some(true),
        }
    }

    fn new_volume(image: &Image, volume: &Volume) -> Result<Self> {
        if volume.disk.size.is_none() {
            let id = image.image_id().unwrap_or_default();
            return Err(Error::preflight(format!(
                "the volume {} has no size, and the source image {id} has no such volume",
                volume.device
            ))
            .help("Add `size`, in GiB, or use the device name of a volume of the source image."));
        }
        Ok(Self { from: "EC2".to_owned(), least: 0, kind: DEFAULT_TYPE, encrypted: false })
    }
}

fn gibibytes(size: Option<i32>) -> u32 {
    size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0)
}

/// The size in GiB that a volume gets. `what` names it: `disk`, or its device.
///
/// # Errors
/// When EC2 would refuse the volume: it can't be smaller than what it is created from, the type decides what speed can be
/// set, and encryption stays (EC2 API, EbsBlockDevice).
fn fitting(what: &str, disk: &Disk, base: &Base<'_>) -> Result<u32> {
    let Base { from, least, kind: default, encrypted } = base;
    let name = if what == "disk" { "root disk" } else { what };
    if let Some(size) = disk.size.filter(|size| size < least) {
        return Err(Error::preflight(format!("the {name} of {size} GiB is smaller than the {least} GiB of {from}"))
            .help(format!("Set its `size` to {least} or more, or remove the size.")));
    }
    if *encrypted && disk.encrypted == Some(false) {
        return Err(Error::preflight(format!("the {name} can't be unencrypted: {from} is encrypted"))
            .help("Remove `encrypted: false`: EC2 can't remove encryption."));
    }
    let size = disk.size.unwrap_or(*least);
    let kind = disk.kind.as_deref().unwrap_or(default);
    let per_gib = match kind {
        "gp3" => Some(GP3_IOPS_PER_GIB),
        "io1" => Some(50),
        "io2" => Some(1000),
        _ => None,
    };
    let refuse = |key: &str, why: String| {
        let help = if disk.kind.is_some() {
            format!("Change `{key}`, or `type`.")
        } else {
            format!(
                "The volume is of type {kind}, as {from} has it. Set `type` beside `{key}`, for example `type: gp3`."
            )
        };
        Error::preflight(format!("could not set `{key}` of the {name}: {why}")).help(help)
    };
    match (disk.iops, per_gib) {
        (Some(_), None) => return Err(refuse("iops", format!("volumes of type {kind} have no such setting"))),
        (Some(iops), Some(per_gib)) if iops > least_iops(kind).max(size.saturating_mul(per_gib)) => {
            return Err(refuse("iops", format!("{iops} IOPS are too many for {size} GiB")));
        }
        _ => {}
    }
    if disk.throughput.is_some() && kind != "gp3" {
        return Err(refuse("throughput", format!("volumes of type {kind} have no such setting")));
    }
    if matches!(kind, "st1" | "sc1") && size < SMALLEST_HDD {
        return Err(refuse("type", format!("volumes of type {kind} have at least {SMALLEST_HDD} GiB, not {size}")));
    }
    Ok(size)
}

/// IOPS that a volume of any size may have.
fn least_iops(kind: &str) -> u32 {
    if kind == "gp3" { GP3_IOPS } else { 100 }
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
        let all = mappings(image, settings, phase, &Snapshots::new()).unwrap();
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
        let disk = Disk { size: Some(20), ..Disk::default() };
        let volume = Volume { device: "/dev/sdf".to_owned(), disk, ..Volume::default() };
        let settings = MachineSettings { volumes: vec![volume], ..MachineSettings::default() };
        let all = mappings(&image(&VolumeType::Gp2, 8), &settings, Phase::Build, &Snapshots::new()).unwrap();
        let devices: Vec<_> = all.iter().filter_map(BlockDeviceMapping::device_name).collect();
        assert_eq!(devices, ["/dev/xvda", "/dev/sdc", "/dev/sdf"]);
        assert!(all.iter().all(|mapping| mapping.ebs().unwrap().delete_on_termination() == Some(true)));
    }

    #[test]
    fn a_root_smaller_than_the_image_is_refused() {
        let settings =
            MachineSettings { disk: Disk { size: Some(4), ..Disk::default() }, ..MachineSettings::default() };
        let error = mappings(&image(&VolumeType::Gp3, 8), &settings, Phase::Build, &Snapshots::new()).unwrap_err();
        assert!(error.message().contains("4 GiB is smaller than the 8 GiB"), "{error}");
    }

    #[test]
    fn what_a_volume_leaves_out_is_the_source_images() {
        let refusal = |kind: &VolumeType, device: &str, disk: Disk| {
            let volume = Volume { device: device.to_owned(), disk, ..Volume::default() };
            let settings = MachineSettings { volumes: vec![volume], ..MachineSettings::default() };
            let all = mappings(&image(kind, 8), &settings, Phase::Build, &Snapshots::new());
            all.err().map(|error| error.message().to_owned())
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
        // A device that the image does not have is gp2; one that it has keeps its type.
        let new = Disk { size: Some(9), ..iops(3000) };
        assert!(refusal(&VolumeType::Gp3, "/dev/sdf", new.clone()).unwrap().contains("type gp2 have no such setting"));
        assert_eq!(refusal(&VolumeType::Gp3, "/dev/sdc", new), None);
        let hdd = Disk { kind: Some("st1".to_owned()), ..Disk::default() };
        assert!(refusal(&VolumeType::Gp3, "/dev/sdc", hdd).unwrap().contains("at least 125 GiB, not 5"));
    }

    #[test]
    fn volumes_start_from_snapshots_and_the_test_machine_from_the_image() {
        let snapshot = |size, encrypted| {
            let snapshot = Snapshot::builder().snapshot_id("snap-1").volume_size(size).encrypted(encrypted).build();
            Snapshots::from([("snap-1".to_owned(), snapshot)])
        };
        let volume = |device: &str| Volume { device: device.to_owned(), ..Volume::default() };
        let mapped = |volumes: Vec<Volume>, phase, snapshots: &Snapshots| {
            let settings = MachineSettings { volumes, ..MachineSettings::default() };
            let all = mappings(&image(&VolumeType::Gp3, 8), &settings, phase, snapshots);
            all.map(|all| all.into_iter().filter(|one| one.device_name() != Some("/dev/xvda")).collect::<Vec<_>>())
        };
        let data = |disk| Volume { snapshot: Some("snap-1".to_owned()), disk, ..volume("/dev/sdf") };
        let (known, built) = (snapshot(30, false), vec![data(Disk::default())]);
        let build = mapped(built.clone(), Phase::Build, &known).unwrap();
        assert_eq!(build[1].ebs().unwrap().snapshot_id(), Some("snap-1"));
        // The candidate has the disk then, whose content is to be tested.
        let settings = MachineSettings { volumes: built, ..MachineSettings::default() };
        let sdf = EbsBlockDevice::builder().snapshot_id("snap-2").volume_size(30).build();
        let candidate = Image::builder()
            .root_device_name("/dev/xvda")
            .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/sdf").ebs(sdf).build())
            .build();
        let test = mappings(&candidate, &settings, Phase::Test, &Snapshots::new()).unwrap();
        assert_eq!(test[0].ebs().unwrap().snapshot_id(), None);
        let why = |disk, known: &Snapshots| mapped(vec![data(disk)], Phase::Build, known).unwrap_err().to_string();
        let small = Disk { size: Some(29), ..Disk::default() };
        assert!(why(small, &known).contains("29 GiB is smaller than the 30 GiB of the snapshot snap-1"));
        let plain = Disk { encrypted: Some(false), ..Disk::default() };
        assert!(why(plain, &snapshot(30, true)).contains("the snapshot snap-1 is encrypted"));
        // An empty disk is the image's alone; the build machine loses that of the source image.
        let empty = |device: &str| Volume { empty: true, ..volume(device) };
        let none = Snapshots::new();
        assert_eq!(mapped(vec![empty("/dev/sdf")], Phase::Build, &none).unwrap().len(), 1);
        assert_eq!(mapped(vec![empty("/dev/sdc")], Phase::Build, &none).unwrap()[0].no_device(), Some(""));
        let host = || Volume { host: Some("ephemeral1".to_owned()), ..volume("/dev/sdg") };
        assert_eq!(mapped(vec![host()], Phase::Build, &none).unwrap()[1].virtual_name(), Some("ephemeral1"));
        assert_eq!(mapped(vec![host(), empty("/dev/sdc")], Phase::Test, &none).unwrap().len(), 1);
    }
}
