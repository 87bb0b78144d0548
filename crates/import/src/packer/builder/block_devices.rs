//! Disks.

use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::Build;
use crate::yaml::{Map, Value};

/// Names of the root disk: which one an image has is its own matter.
const ROOT: [&str; 4] = ["/dev/sda1", "/dev/xvda", "/dev/sda", "/dev/nvme0n1"];

pub(super) fn read(build: &Build, context: &Context, map: &mut Map) {
    let reader = &build.reader;
    let mut disk = Map::default();
    let mut volumes = Vec::new();
    let launch: Vec<Reader> = reader.get("launch_block_device_mappings").iter().flat_map(Reader::items).collect();
    for mapping in &launch {
        device(mapping, context, &mut disk, &mut volumes);
    }
    for mapping in reader.get("ami_block_device_mappings").iter().flat_map(Reader::items) {
        let name = name(&mapping, context);
        if stays_out(&mapping) {
            continue;
        }
        let same = launch.iter().any(|other| self::name(other, context) == name && plain(other) == plain(&mapping));
        if same {
            mapping.tick();
        } else if name.as_deref().is_some_and(|name| ROOT.contains(&name)) && disk.is_empty() {
            device(&mapping, context, &mut disk, &mut volumes);
        } else {
            mapping.drop(
                "an image has the disks that its build machine has",
                "Add the disk to `machine.volumes` where the image needs it.",
            );
        }
    }
    if let Some(encrypt) = reader.get("encrypt_boot")
        && let Some(value) = context.switch(&encrypt)
    {
        // Packer encrypts the whole image, further disks too.
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
    if build.kind == "amazon-ebssurrogate" {
        surrogate(reader);
    }
    map.within("machine", |machine| {
        machine.set_filled("disk", disk);
        machine.set_filled("volumes", volumes);
    });
}

/// The image of a surrogate is the disk that the steps fill, which no platform here captures.
fn surrogate(reader: &Reader) {
    if let Some(root) = reader.get("ami_root_device") {
        root.drop(
            "the image is made from the machine's own root disk, and can't be made from another disk that the steps fill",
            "Make the steps change the running system, or keep Packer for this image.",
        );
    }
    for key in ["ami_architecture", "use_create_image"] {
        if let Some(field) = reader.get(key) {
            field.drop("it is that of the source image", "");
        }
    }
}

fn name(mapping: &Reader, context: &Context) -> Option<String> {
    let name = mapping.get("device_name")?;
    context.words(&name)?.known()
}

/// Whether it is no EBS disk at all, which is told.
fn stays_out(mapping: &Reader) -> bool {
    for field in ["virtual_name", "no_device"].iter().filter_map(|key| mapping.get(key)) {
        if matches!(field.node.scalar(), None | Some("" | "false")) {
            field.tick();
            continue;
        }
        mapping.drop(
            "instance stores and left-out devices can't be set",
            "They come from the source image and the machine's type.",
        );
        return true;
    }
    false
}

/// A mapping without its places, to compare.
fn plain(reader: &Reader) -> Vec<(String, Option<String>)> {
    reader.entries().into_iter().map(|(key, value)| (key.to_owned(), value.node.scalar().map(str::to_owned))).collect()
}

fn device(mapping: &Reader, context: &Context, disk: &mut Map, volumes: &mut Vec<Value>) {
    let Some(name) = name(mapping, context).filter(|name| !name.is_empty()) else {
        mapping.drop(
            "which device it is is not known before the bake",
            "Write it into `machine.disk` or `machine.volumes`.",
        );
        return;
    };
    if stays_out(mapping) {
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
            && field.node.scalar() != Some("0")
            && let Some(value) = context.number(&field)
        {
            map.set_from(own, value, &field);
        }
    }
    for (key, own) in [("volume_type", "type"), ("kms_key_id", "kms-key")] {
        if let Some(field) = mapping.get(key)
            && let Some(value) = context.text(&field)
        {
            map.set_from(own, value, &field);
        }
    }
    if let Some(field) = mapping.get("encrypted")
        && let Some(value) = context.switch(&field)
    {
        map.set_from("encrypted", value, &field);
    }
    if let Some(field) = mapping.get("delete_on_termination")
        && context.flag(&field) == Some(false)
    {
        field.drop("disks go with their machine: with the build's, and with the image's own instances", "");
    }
    if let Some(field) = mapping.get("omit_from_artifact")
        && context.flag(&field) == Some(true)
    {
        field.drop("the image has all disks of its machine", "Take the disk away where no step needs it.");
    }
    if let Some(field) = mapping.get("volume_initialization_rate") {
        field.drop("disks aren't made from snapshots of their own", "");
    }
    if let Some(field) = mapping.get("snapshot_id") {
        field.drop("disks can't be made from snapshots", "Make it part of the source image.");
    }
    if root && !disk.is_empty() {
        mapping.drop("another entry is taken for the root disk", "See `machine.disk`.");
    } else if root {
        *disk = map;
    } else {
        volumes.push(map.into());
    }
}
