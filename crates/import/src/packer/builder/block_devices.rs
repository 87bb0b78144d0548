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
            volume.0.retain(|entry| entry.key != "delete-on-termination");
            volume.set("scratch", true);
        }
    }
    for mapping in &image {
        let name = name(mapping, context);
        let same = launch.iter().find(|other| name.is_some() && self::name(other, context) == name);
        let is_root = name.as_deref().is_some_and(|name| ROOT.contains(&name));
        // It was converted with the disk of the build machine.
        let known = same.is_some_and(|same| is_left_out(mapping, context) || same.value == mapping.value);
        if known {
            mapping.mark_used();
        } else if is_root && !is_left_out(mapping, context) {
            root(mapping, context, &mut disk, &mut volumes);
        } else if same.is_some() {
            mapping.drop(
                "an image has the same disks as its build machine",
                "Change the entry of the disk in `machine.volumes`.",
            );
        } else {
            let before = volumes.len();
            device(mapping, context, &mut disk, &mut volumes);
            if let Some(Value::Map(volume)) = volumes.get_mut(before) {
                of_the_image(mapping, volume);
            }
        }
    }
    if let Some(encrypt) = reader.get("encrypt_boot")
        && let Some(value) = context.switch(&encrypt)
    {
        // Packer encrypts all disks of the image.
        for volume in &mut volumes {
            if let Value::Map(volume) = volume
                && volume.get("encrypted").is_none()
                && volume.get("virtual-name").is_none()
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
                && ["kms-key", "virtual-name", "empty"].iter().all(|key| volume.get(key).is_none())
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

/// A disk of the image that Packer's build machine does not have.
fn of_the_image(mapping: &Reader, volume: &mut Map) {
    // A disk of the host, a disk of the source image that is left out, or the content of a snapshot: the build machine may
    // have it.
    if ["virtual-name", "scratch", "snapshot"].iter().any(|key| volume.get(key).is_some()) {
        return;
    }
    volume.set("empty", true);
    if let Some(field) = mapping.get("kms_key_id").filter(|_| volume.get("kms-key").is_some()) {
        volume.0.retain(|entry| entry.key != "kms-key");
        field.drop("an image can't name the key of an empty disk", "");
    }
}

/// The root disk of the image, which the build machine has from the start.
fn root(mapping: &Reader, context: &Context, disk: &mut Map, volumes: &mut Vec<Value>) {
    let mut own = Map::default();
    device(mapping, context, &mut own, volumes);
    let differs = own
        .0
        .iter()
        .filter(|entry| entry.key != "delete-on-termination")
        .any(|entry| disk.get(&entry.key).is_some_and(|known| *known != entry.value));
    if differs {
        mapping.changed("the build machine has the root disk of the image from the start", "");
    }
    // Packer sends it of the image's disk in any case.
    disk.0.retain(|entry| own.get(&entry.key).is_none() && entry.key != "delete-on-termination");
    disk.0.extend(own.0);
}

/// A device that is not an EBS disk: a disk of the host, or one of the source image that is left out.
fn without_ebs(mapping: &Reader, context: &Context) -> Option<Map> {
    let mut map = Map::default();
    for field in ["virtual_name", "no_device"].iter().filter_map(|key| mapping.get(key)) {
        let known = context.words(&field).and_then(|words| words.known());
        if !field.value.is_scalar() || matches!(known.as_deref(), Some("" | "false")) {
            field.mark_used();
        }
    }
    if is_left_out(mapping, context) {
        map.set("scratch", true);
    } else if let Some(field) = mapping.get("virtual_name")
        && context.words(&field).and_then(|words| words.known()).is_none_or(|name| !name.is_empty())
    {
        context.set(&mut map, "virtual-name", Some(field), Context::text);
    }
    if map.is_empty() { None } else { Some(map) }
}

fn device(mapping: &Reader, context: &Context, disk: &mut Map, volumes: &mut Vec<Value>) {
    let Some(name) = name(mapping, context).filter(|name| !name.is_empty()) else {
        mapping.drop(
            "the device name is only known during the bake",
            "Add it to `machine.disk` or `machine.volumes` by hand.",
        );
        return;
    };
    let root = ROOT.contains(&name.as_str());
    if let Some(other) = without_ebs(mapping, context) {
        mapping.mark_used();
        if root {
            return mapping.drop("a machine can't do without its root disk", "");
        }
        let mut map = Map::default();
        context.set(&mut map, "device", mapping.get("device_name"), Context::text);
        map.0.extend(other.0);
        return volumes.push(map.into());
    }
    let mut map = Map::default();
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
    if let Some(field) = mapping.get("snapshot_id")
        && context.words(&field).and_then(|words| words.known()).is_none_or(|id| !id.is_empty())
    {
        if root {
            field.drop("the root disk is that of the source image", "Bake on an image of the snapshot.");
        } else {
            context.set(&mut map, "snapshot", Some(field), Context::text);
        }
    }
    delete_on_termination(mapping, context, &mut map);
    if let Some(field) = mapping.get("omit_from_artifact")
        && context.flag(&field) == Some(true)
    {
        field.drop("the image includes all disks of its machine", "If no step needs the disk, remove it.");
    }
    if let Some(field) = mapping.get("volume_initialization_rate") {
        field.drop("the rate at which a disk is loaded from its snapshot can't be set", "");
    }
    if root && !disk.is_empty() {
        mapping.drop("another entry is used for the root disk", "See `machine.disk`.");
    } else if root {
        *disk = map;
    } else {
        volumes.push(map.into());
    }
}

/// Packer sends the value in any case: a disk without it stays when an instance of the image is terminated
/// (packer-plugin-amazon, `builder/common/block_device.go`).
fn delete_on_termination(mapping: &Reader, context: &Context, map: &mut Map) {
    match mapping.get("delete_on_termination") {
        None => map.set("delete-on-termination", false),
        // The default.
        Some(field) if context.flag(&field) == Some(true) => field.mark_used(),
        Some(field) => context.set(map, "delete-on-termination", Some(field), Context::switch),
    }
}
