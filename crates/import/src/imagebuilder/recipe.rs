//! Image recipes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::resource::{get, left};
use super::{Making, Resource, component, parent};
use crate::input::Reader;
use crate::output::Draft;
use crate::yaml::{Map, Value};

/// Names of the root disk.
const ROOT: [&str; 3] = ["/dev/sda1", "/dev/xvda", "/dev/sda"];

pub(super) fn read(recipe: &Resource, making: &Making, draft: &mut Draft) -> Map {
    let context = &making.context;
    let mut image = Map::default();
    parent::read(recipe, context, &mut image, draft);
    let mut machine = Map::default();
    for mapping in recipe.get("blockDeviceMappings").iter().flat_map(Reader::items) {
        disk(&mapping, making, &mut machine);
    }
    if let Some(more) = recipe.get("additionalInstanceConfiguration") {
        additional(&more, making, &mut machine);
    }
    image.set_filled("machine", machine);
    // CloudFormation and the API's answers say `version`.
    if let Some(version) = recipe.get("semanticVersion").or_else(|| recipe.get("version"))
        && let Some(words) = context.plain(&version)
    {
        match words.known() {
            Some(known) if !known.contains('x') && draft.version.is_none() => {
                draft.version = Some(words.manifest().into());
            }
            Some(known) if known.contains('x') => {
                version.changed("the next version is found by itself: `version: auto`", "");
            }
            _ => version.drop("a manifest has one version for all of its images", "Use `--image-version` for another."),
        }
    }
    let documents = component::of_recipe(recipe, making, draft);
    component::steps(&documents, &mut image);
    image.within("publish", |publish| {
        if let Some(text) = recipe.get("description")
            && let Some(value) = context.text(&text)
        {
            publish.set_from("description", value, &text);
        }
        if let Some(tags) = recipe.get("amiTags") {
            publish.set_filled("tags", context.map(&tags));
        }
    });
    left(
        &recipe.reader,
        &[
            (
                "tags",
                "they are tags of the recipe, not of its images",
                "Write them into `publish.tags` where images need them.",
            ),
            ("workingDirectory", "relative paths of components begin in `/tmp`", ""),
            ("amiWatermarks", "images have no watermarks; lineage is in the tags", ""),
            ("changeDescription", "the change stands in the commit", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("arn", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
            ("owner", "AWS made it", ""),
            ("type", "AWS made it", ""),
            ("platform", "AWS made it", ""),
            ("parentImageArn", "AWS made it", ""),
        ],
    );
    image
}

fn disk(mapping: &Reader, making: &Making, machine: &mut Map) {
    let context = &making.context;
    let device = get(mapping, "deviceName");
    let name = device.as_ref().and_then(|device| context.words(device)?.known()).unwrap_or_default();
    let Some(ebs) = get(mapping, "ebs").filter(|_| !name.is_empty()) else {
        mapping.drop("only EBS disks with a device name can be set", "");
        return;
    };
    let mut disk = Map::default();
    for (field, key) in [("volumeSize", "size"), ("iops", "iops"), ("throughput", "throughput")] {
        if let Some(field) = get(&ebs, field)
            && let Some(value) = context.number(&field)
        {
            disk.set_from(key, value, &field);
        }
    }
    for (field, key) in [("volumeType", "type"), ("kmsKeyId", "kms-key")] {
        if let Some(field) = get(&ebs, field)
            && let Some(value) = context.text(&field)
        {
            disk.set_from(key, value, &field);
        }
    }
    if let Some(field) = get(&ebs, "encrypted")
        && let Some(value) = context.switch(&field)
    {
        disk.set_from("encrypted", value, &field);
    }
    if let Some(field) = get(&ebs, "deleteOnTermination")
        && context.flag(&field) == Some(false)
    {
        field.drop("the build machine's disks go with it, the image's snapshots stay", "");
    }
    left(&ebs, &[("snapshotId", "disks can't be made from snapshots", "")]);
    left(
        mapping,
        &[("virtualName", "instance stores can't be set", ""), ("noDevice", "devices can't be left out", "")],
    );
    if ROOT.contains(&name.as_str()) {
        machine.set_filled("disk", disk);
    } else {
        let mut volume = Map::default();
        volume.set("device", name);
        volume.0.extend(disk.0);
        let mut volumes = match machine.get("volumes") {
            Some(Value::List(volumes)) => volumes.clone(),
            _ => Vec::new(),
        };
        volumes.push(volume.into());
        machine.set("volumes", volumes);
    }
}

fn additional(more: &Reader, making: &Making, machine: &mut Map) {
    if let Some(agent) = get(more, "systemsManagerAgent") {
        agent.drop(
            "the bake works over SSH and leaves the agent as it is",
            "Remove it by a step where it must not stay.",
        );
    }
    let Some(data) = get(more, "userDataOverride") else { return };
    let Some(words) = making.context.plain(&data) else { return };
    let text = words.literal().map(|literal| {
        let bytes = STANDARD.decode(literal.trim()).ok();
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| literal.to_owned())
    });
    match text {
        Some(text) if crate::credential::holds(&text) || text.contains("${{") => {
            data.drop("it holds a credential or `${{`", "Write `machine.user-data` by hand.");
        }
        Some(text) => machine.set_from("user-data", text, &data),
        None => machine.set_from("user-data", words.manifest(), &data),
    }
}
