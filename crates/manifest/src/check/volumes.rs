//! The limits of EBS volumes by type (EBS user guide, "Amazon EBS volume types"; EC2 API reference, EbsBlockDevice).

use ami_bake_core::plan::{Disk, Volume};

/// Limits of a volume type. Sizes are in GiB, throughput is in MiB/s.
struct Limits {
    name: &'static str,
    size: (u32, u32),
    /// Whether a root volume can have this type.
    root: bool,
    /// Minimum, maximum, and maximum per GiB.
    iops: Option<(u32, u32, u32)>,
    /// Minimum and maximum.
    throughput: Option<(u32, u32)>,
}

/// gp3 has a default speed that can be raised; io1 and io2 require a value.
const TYPES: [Limits; 7] = [
    Limits {
        name: "gp3",
        size: (1, 65536),
        root: true,
        iops: Some((3000, 80_000, 500)),
        throughput: Some((125, 2000)),
    },
    Limits { name: "gp2", size: (1, 16384), root: true, iops: None, throughput: None },
    Limits { name: "io1", size: (4, 16384), root: true, iops: Some((100, 64_000, 50)), throughput: None },
    Limits { name: "io2", size: (4, 65536), root: true, iops: Some((100, 256_000, 1000)), throughput: None },
    Limits { name: "st1", size: (125, 16384), root: false, iops: None, throughput: None },
    Limits { name: "sc1", size: (125, 16384), root: false, iops: None, throughput: None },
    Limits { name: "standard", size: (1, 1024), root: true, iops: None, throughput: None },
];
/// Default IOPS of a gp3 volume.
const GP3_IOPS: u32 = 3000;
/// IOPS that 1 MiB/s of a gp3 volume needs.
const IOPS_PER_MIB: u32 = 4;
/// Type of a new volume that sets none
/// (<https://aws.amazon.com/about-aws/whats-new/2019/07/ebs-default-volume-type-updated-to-gp2/>).
const DEFAULT: &str = "gp2";

/// A setting that EC2 would refuse: its key, the problem, and what to do.
pub(super) type Refusal = (&'static str, String, String);

/// Which disk of an image is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskRole {
    /// The root disk.
    Root,
    /// A further disk of the machine. The source image may have it.
    Further,
    /// A disk that the image alone describes.
    Empty,
}

/// The first two settings of a volume that exclude each other.
pub(super) fn conflict(volume: &Volume) -> Option<Refusal> {
    let disk = &volume.disk;
    let set = [
        ("size", disk.size.is_some()),
        ("type", disk.kind.is_some()),
        ("iops", disk.iops.is_some()),
        ("throughput", disk.throughput.is_some()),
        ("encrypted", disk.encrypted.is_some()),
        ("kms-key", disk.kms_key.is_some()),
        ("snapshot", volume.snapshot.is_some()),
        ("empty", volume.empty),
        ("scratch", volume.scratch),
        ("delete-on-termination", disk.delete_on_termination.is_some()),
    ];
    let any = |keys: &[&str]| set.iter().find(|(key, set)| *set && keys.contains(key)).map(|(key, _)| *key);
    if volume.host.is_some()
        && let Some((key, _)) = set.iter().find(|(_, set)| *set)
    {
        let help = format!("An instance store volume has the size and speed of the instance type: remove `{key}`.");
        return Some((key, format!("`{key}` can't be set beside `virtual-name`"), help));
    }
    if volume.empty
        && let Some(key) = any(&["snapshot", "scratch"])
    {
        let help = format!("Only instances of the image have an empty disk: remove `{key}`, or `empty`.");
        return Some((key, format!("`{key}` can't be set beside `empty`"), help));
    }
    if volume.empty && disk.size.is_none() {
        return Some(("empty", "an empty disk needs `size`".to_owned(), "Add `size`, in GiB.".to_owned()));
    }
    // EC2 API reference, EbsBlockDevice, KmsKeyId: "only supported on … RunInstances, RequestSpotFleet, …".
    if volume.empty && disk.kms_key.is_some() {
        let help =
            "Set `encrypted: true`: it is encrypted with the default key of the account that launches the image.";
        return Some(("kms-key", "an image can't name the key of an empty disk".to_owned(), help.to_owned()));
    }
    if volume.scratch && disk.delete_on_termination.is_some() {
        let help = "A scratch disk is deleted with the build machine: remove it.".to_owned();
        return Some((
            "delete-on-termination",
            "`delete-on-termination` has no effect beside `scratch`".to_owned(),
            help,
        ));
    }
    None
}

/// The first setting of a disk that EC2 would refuse. The type that is not set is the source image's, which is unknown
/// here, where the image has the disk.
pub(super) fn refusal(disk: &Disk, role: DiskRole) -> Option<Refusal> {
    let root = role == DiskRole::Root;
    if disk.encrypted == Some(false) && disk.kms_key.is_some() {
        let help = "Remove `encrypted: false`, or the key.".to_owned();
        return Some(("kms-key", "a volume that is not encrypted has no key".to_owned(), help));
    }
    let kind = match (disk.kind.as_deref(), role) {
        (Some(kind), _) => kind,
        (None, DiskRole::Root | DiskRole::Further) => return None,
        (None, DiskRole::Empty) => DEFAULT,
    };
    let limits = TYPES.iter().find(|limits| limits.name == kind)?;
    let name = limits.name;
    let types = |test: fn(&Limits) -> bool| {
        TYPES.iter().filter(|one| test(one)).map(|one| one.name).collect::<Vec<_>>().join(", ")
    };
    if root && !limits.root {
        let help = format!("A machine can boot from {}.", types(|one| one.root));
        return Some(("type", format!("the root volume can't be of type {name}"), help));
    }
    if let Some(size) = disk.size.filter(|size| !(limits.size.0..=limits.size.1).contains(size)) {
        let help = format!("Volumes of type {name} have {} to {} GiB.", limits.size.0, limits.size.1);
        return Some(("size", format!("a volume of type {name} can't have {size} GiB"), help));
    }
    match (disk.iops, limits.iops) {
        (Some(_), None) => {
            let help = format!("Remove `iops`, or set `type` to one of {}.", types(|one| one.iops.is_some()));
            return Some(("iops", format!("volumes of type {name} have no `iops` setting"), help));
        }
        (None, Some(_)) if name != "gp3" => {
            return Some(("type", format!("a volume of type {name} needs `iops`"), "Add `iops`.".to_owned()));
        }
        (Some(iops), Some((least, most, ratio))) => {
            if !(least..=most).contains(&iops) {
                let help = format!("Volumes of type {name} have {least} to {most} IOPS.");
                return Some(("iops", format!("a volume of type {name} can't have {iops} IOPS"), help));
            }
            // gp3's default values are available in any size.
            let allowed = disk.size.map(|size| size.saturating_mul(ratio).max(least));
            if let (Some(allowed), Some(size)) = (allowed.filter(|allowed| iops > *allowed), disk.size) {
                let help = format!(
                    "Volumes of type {name} have up to {ratio} IOPS per GiB: set `iops` to at most {allowed}, or raise `size`."
                );
                return Some(("iops", format!("{iops} IOPS are too many for {size} GiB"), help));
            }
        }
        _ => {}
    }
    let throughput = disk.throughput?;
    let Some((least, most)) = limits.throughput else {
        let help = "Remove `throughput`, or set `type: gp3`.".to_owned();
        return Some(("throughput", format!("volumes of type {name} have no `throughput` setting"), help));
    };
    if !(least..=most).contains(&throughput) {
        let help = format!("Volumes of type {name} have {least} to {most} MiB/s.");
        return Some(("throughput", format!("a volume of type {name} can't have {throughput} MiB/s"), help));
    }
    let needed = throughput.saturating_mul(IOPS_PER_MIB);
    if needed > disk.iops.unwrap_or(GP3_IOPS) {
        let help =
            format!("1 MiB/s needs {IOPS_PER_MIB} IOPS: set `iops` to at least {needed}, or lower `throughput`.");
        return Some(("throughput", format!("{throughput} MiB/s need more IOPS than the volume has"), help));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_volume_that_breaks_it_and_one_that_does_not() {
        let disk = |kind: &str, size, iops, throughput| Disk {
            kind: Some(kind.to_owned()),
            size,
            iops,
            throughput,
            ..Disk::default()
        };
        for (volume, root, broken) in [
            (disk("gp3", Some(8), Some(4000), Some(1000)), true, None),
            (disk("gp3", Some(8), Some(3000), Some(750)), true, None),
            (disk("gp3", Some(1), Some(3000), None), true, None),
            (disk("gp3", Some(8), Some(2999), None), true, Some("iops")),
            (disk("gp3", Some(8), Some(4001), None), true, Some("iops")),
            (disk("gp3", Some(65536), Some(80_001), None), false, Some("iops")),
            (disk("gp3", Some(8), None, Some(751)), true, Some("throughput")),
            (disk("gp3", Some(8), None, Some(2001)), true, Some("throughput")),
            (disk("gp2", Some(16384), None, None), true, None),
            (disk("gp2", Some(16385), None, None), true, Some("size")),
            (disk("gp2", None, Some(4000), None), true, Some("iops")),
            (disk("gp2", None, None, Some(250)), true, Some("throughput")),
            (disk("io1", Some(4), Some(200), None), true, None),
            (disk("io1", Some(4), Some(201), None), true, Some("iops")),
            (disk("io1", Some(3), Some(100), None), true, Some("size")),
            (disk("io2", Some(4), None, None), true, Some("type")),
            (disk("io2", Some(256), Some(256_000), None), false, None),
            (disk("io2", Some(255), Some(256_000), None), false, Some("iops")),
            (disk("st1", Some(125), None, None), true, Some("type")),
            (disk("st1", Some(125), None, None), false, None),
            (disk("sc1", Some(124), None, None), false, Some("size")),
            (disk("standard", Some(1024), None, None), true, None),
            (disk("standard", Some(1025), None, None), true, Some("size")),
            (disk("standard", None, Some(500), None), true, Some("iops")),
            (Disk { iops: Some(4000), ..Disk::default() }, true, None),
            // The source image may have the disk, with a type that has this setting: `plan` knows.
            (Disk { iops: Some(4000), size: Some(9), ..Disk::default() }, false, None),
            (
                Disk { encrypted: Some(false), kms_key: Some("alias/x".to_owned()), ..Disk::default() },
                true,
                Some("kms-key"),
            ),
        ] {
            let role = if root { DiskRole::Root } else { DiskRole::Further };
            assert_eq!(refusal(&volume, role).map(|(key, _, _)| key), broken, "{volume:?}");
        }
        let new = Disk { iops: Some(4000), size: Some(9), ..Disk::default() };
        assert_eq!(refusal(&new, DiskRole::Empty).map(|(key, _, _)| key), Some("iops"), "a new volume is gp2");
    }

    #[test]
    fn settings_that_exclude_each_other_are_refused() {
        let disk = |size| Disk { size, ..Disk::default() };
        let empty = |disk| Volume { empty: true, disk, ..Volume::default() };
        let host = |disk| Volume { host: Some("ephemeral0".to_owned()), disk, ..Volume::default() };
        let snapshot = |volume| Volume { snapshot: Some("snap-1".to_owned()), ..volume };
        for (volume, broken) in [
            (snapshot(Volume::default()), None),
            (snapshot(Volume { scratch: true, ..Volume::default() }), None),
            (empty(disk(Some(4))), None),
            (empty(disk(None)), Some("empty")),
            (snapshot(empty(disk(Some(4)))), Some("snapshot")),
            (Volume { scratch: true, ..empty(disk(Some(4))) }, Some("scratch")),
            (empty(Disk { kms_key: Some("alias/x".to_owned()), ..disk(Some(4)) }), Some("kms-key")),
            (host(disk(None)), None),
            (host(disk(Some(4))), Some("size")),
            (host(Disk { delete_on_termination: Some(true), ..disk(None) }), Some("delete-on-termination")),
            (Volume { empty: true, ..host(disk(None)) }, Some("empty")),
            (
                Volume {
                    scratch: true,
                    disk: Disk { delete_on_termination: Some(true), ..disk(None) },
                    ..Volume::default()
                },
                Some("delete-on-termination"),
            ),
        ] {
            assert_eq!(conflict(&volume).map(|(key, _, _)| key), broken, "{volume:?}");
        }
    }
}
