//! Converts block devices to disks.

use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::Build;
use crate::yaml::{Map, Value};

/// Device names of the root disk, which differ between images.
const ROOT: [&str; 4] = ["/dev/sda1", "/dev/xvda", "/dev/sda", "/dev/nvme0n1"];

pub(super) fn read(build: &Build, context: &Context, map: &mut Map) {
    let reader = &build.reader;
    let mut disk = Map::default();
    let mut volumes = Vec::new();
    let launch: Vec<Reader> = reader.get("launch_block_device_mappings").iter().flat_map(Reader::items).collect();
    let image: Vec<Reader> = reader.get("ami_block_device_mappings").iter().flat_map(Reader::items).collect();
    for mapping in &launch {
        let own = name(mapping, context);
        let scratch =
            own.is_some() && image.iter().any(|other| name(other, context) == own && is_left_out(other, context));
        let before = volumes.len();
        device(mapping, context, &mut disk, &mut volumes);
        if let Some(Value::Map(volume)) = volumes.get_mut(before).filter(|_| scratch) {
            volume.set("scratch", true);
        }
    }
    for mapping in &image {
        let name = name(mapping, context);
        let launched = || launch.iter().any(|other| name.is_some() && self::name(other, context) == name);
        if is_left_out(mapping, context) && launched() {
            // It was converted with the disk of the build machine.
            mapping.mark_used();
            continue;
        }
        if is_not_ebs(mapping, context) {
            continue;
        }
        let same = launch.iter().find(|other| name.is_some() && self::name(other, context) == name);
        if same.is_some_and(|same| same.value == mapping.value) {
            mapping.mark_used();
        } else if name.as_deref().is_some_and(|name| ROOT.contains(&name)) {
            root(mapping, context, &mut disk, &mut volumes);
        } else if same.is_some() {
            mapping.drop(
                "an image has the same disks as its build machine",
                "Change the entry of the disk in `machine.volumes`.",
            );
        } else {
            // A further empty disk of the image: the build machine has it too.
            device(mapping, context, &mut disk, &mut volumes);
        }
    }
    if let Some(encrypt) = reader.get("encrypt_boot")
        && let Some(value) = context.switch(&encrypt)
    {
        // Packer encrypts all disks of the image.
        for volume in &mut volumes {
            if let Value::Map(volume) = volume
                && volume.get("encrypted").is_none()
            {
                volume.set_from("encrypted", value.clone(), &encrypt);
            }
        }
        disk.set_from("encrypted", value, &encrypt);
    }
    if let Some(key) = reader.get("kms_key_id")
        && let Some(value) = context.text(&key)
    {
        let encrypts = disk.get("encrypted").is_some();
        for volume in volumes.iter_mut().filter(|_| encrypts) {
            if let Value::Map(volume) = volume
                && volume.get("kms-key").is_none()
            {
                volume.set_from("kms-key", value.clone(), &key);
            }
        }
        disk.set_from("kms-key", value, &key);
    }
    map.within("machine", |machine| {
        machine.set_filled("disk", disk);
        machine.set_filled("volumes", volumes);
    });
}

fn name(mapping: &Reader, context: &Context) -> Option<String> {
    let name = mapping.get("device_name")?;
    context.words(&name)?.known()
}

/// Whether the image excludes a disk of the build machine.
fn is_left_out(mapping: &Reader, context: &Context) -> bool {
    mapping.get("no_device").and_then(|field| context.words(&field)?.known()).as_deref() == Some("true")
}

/// The root disk of the image, which the build machine has from the start.
fn root(mapping: &Reader, context: &Context, disk: &mut Map, volumes: &mut Vec<Value>) {
    let mut own = Map::default();
    device(mapping, context, &mut own, volumes);
    let differs = own.0.iter().any(|entry| disk.get(&entry.key).is_some_and(|known| *known != entry.value));
    if differs {
        mapping.changed("the build machine has the root disk of the image from the start", "");
    }
    disk.0.retain(|entry| own.get(&entry.key).is_none());
    disk.0.extend(own.0);
}

/// Whether a device is not an EBS disk; if so it is reported.
fn is_not_ebs(mapping: &Reader, context: &Context) -> bool {
    for field in ["virtual_name", "no_device"].iter().filter_map(|key| mapping.get(key)) {
        let known = context.words(&field).and_then(|words| words.known());
        if !field.value.is_scalar() || matches!(known.as_deref(), Some("" | "false")) {
            field.mark_used();
            continue;
        }
        mapping.drop(
            "instance store volumes and `no_device` are not supported",
            "They come from the source image and the instance type.",
        );
        return true;
    }
    false
}

fn device(mapping: &Reader, context: &Context, disk: &mut Map, volumes: &mut Vec<Value>) {
    let Some(name) = name(mapping, context).filter(|name| !name.is_empty()) else {
        mapping.drop(
            "the device name is only known during the bake",
            "Add it to `machine.disk` or `machine.volumes` by hand.",
        );
        return;
    };
    if is_not_ebs(mapping, context) {
        return;
    }
    let mut map = Map::default();
    let root = ROOT.contains(&name.as_str());
    if !root
        && let Some(field) = mapping.get("device_name")
        && let Some(value) = context.text(&field)
    {
        map.set_from("device", value, &field);
    }
    for (key, own) in [("volume_size", "size"), ("iops", "iops"), ("throughput", "throughput")] {
        if let Some(field) = mapping.get(key)
            && field.value.literal() != Some("0")
            && let Some(value) = context.number(&field)
        {
            map.set_from(own, value, &field);
        }
    }
    for (key, own) in [("volume_type", "type"), ("kms_key_id", "kms-key")] {
        context.set(&mut map, own, mapping.get(key), Context::text);
    }
    context.set(&mut map, "encrypted", mapping.get("encrypted"), Context::switch);
    if let Some(field) = mapping.get("delete_on_termination")
        && context.flag(&field) == Some(false)
    {
        field.drop("disks are always deleted on termination, of the build machine and of instances of the image", "");
    }
    if let Some(field) = mapping.get("omit_from_artifact")
        && context.flag(&field) == Some(true)
    {
        field.drop("the image includes all disks of its machine", "If no step needs the disk, remove it.");
    }
    if let Some(field) = mapping.get("volume_initialization_rate") {
        field.drop("disks created from snapshots are not supported", "");
    }
    if let Some(field) = mapping.get("snapshot_id") {
        field.drop("disks created from snapshots are not supported", "Add the data to the source image.");
    }
    if root && !disk.is_empty() {
        mapping.drop("another entry is used for the root disk", "See `machine.disk`.");
    } else if root {
        *disk = map;
    } else {
        volumes.push(map.into());
    }
}
