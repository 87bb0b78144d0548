//! Converts image recipes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::project::Project;
use super::resource::{Resource, get, unsupported};
use super::{component, parent};
use crate::context::Context;
use crate::input::Reader;
use crate::output::Draft;
use crate::yaml::{Map, Value};

/// Device names of root disks.
const ROOT: [&str; 3] = ["/dev/sda1", "/dev/xvda", "/dev/sda"];

pub(super) fn read(recipe: &Resource, project: &Project, draft: &mut Draft) -> Map {
    let context = &project.context;
    let mut image = Map::default();
    parent::read(recipe, context, &mut image, draft);
    let mut machine = Map::default();
    for mapping in recipe.get("blockDeviceMappings").iter().flat_map(Reader::items) {
        disk(&mapping, project, &mut machine);
    }
    if let Some(more) = recipe.get("additionalInstanceConfiguration") {
        additional(&more, project, &mut machine);
    }
    image.set_filled("machine", machine);
    // CloudFormation and the API's responses call it `version`.
    if let Some(version) = recipe.get("semanticVersion").or_else(|| recipe.get("version"))
        && let Some(words) = context.plain(&version)
    {
        match words.known() {
            Some(known) if !known.contains('x') && draft.version.is_none() => {
                draft.version = Some(words.manifest().into());
            }
            Some(known) if known.contains('x') => {
                version.changed("replaced with `version: auto`, which chooses the next version", "");
            }
            _ => version
                .drop("a manifest has one version for all images", "Use `--image-version` to bake another version."),
        }
    }
    let documents = component::of_recipe(recipe, project, draft);
    component::steps(&documents, &mut image);
    image.within("publish", |publish| {
        context.set(publish, "description", recipe.get("description"), Context::text);
        if let Some(tags) = recipe.get("amiTags") {
            publish.set_filled("tags", context.map(&tags));
        }
    });
    recipe.report_unsupported(&[
        ("tags", "tags of the recipe, not of its images", "Add them to `publish.tags` if images need them."),
        ("workingDirectory", "components run in `/tmp`", ""),
        ("amiWatermarks", "watermarks are not supported; tags record where an image comes from", ""),
        ("changeDescription", "changes are described in commits", ""),
        ("owner", "set by AWS", ""),
        ("type", "set by AWS", ""),
        ("platform", "set by AWS", ""),
        ("parentImageArn", "set by AWS", ""),
    ]);
    image
}

fn disk(mapping: &Reader, project: &Project, machine: &mut Map) {
    let context = &project.context;
    let device = get(mapping, "deviceName");
    let name = device.as_ref().and_then(|device| context.words(device)?.known()).unwrap_or_default();
    let root = ROOT.contains(&name.as_str());
    // A disk of the host, or one of the parent image that the image does not have.
    let other = match (get(mapping, "virtualName"), get(mapping, "noDevice")) {
        _ if name.is_empty() || root => None,
        (Some(host), _) => context.text(&host).map(|host| ("virtual-name", host)),
        (None, Some(none)) => {
            none.mark_used();
            Some(("scratch", Value::from(true)))
        }
        (None, None) => None,
    };
    if let Some((key, value)) = other {
        let mut volume = Map::default();
        volume.set("device", name);
        volume.set(key, value);
        return add(volume, machine);
    }
    let Some(ebs) = get(mapping, "ebs").filter(|_| !name.is_empty()) else {
        mapping.drop("only disks with a device name are supported", "");
        return;
    };
    let mut disk = Map::default();
    for (field, key) in [("volumeSize", "size"), ("iops", "iops"), ("throughput", "throughput")] {
        context.set(&mut disk, key, get(&ebs, field), Context::number);
    }
    for (field, key) in [("volumeType", "type"), ("kmsKeyId", "kms-key")] {
        context.set(&mut disk, key, get(&ebs, field), Context::text);
    }
    context.set(&mut disk, "encrypted", get(&ebs, "encrypted"), Context::switch);
    if let Some(field) = get(&ebs, "deleteOnTermination") {
        if context.flag(&field) == Some(true) {
            // The default.
            field.mark_used();
        } else {
            context.set(&mut disk, "delete-on-termination", Some(field), Context::switch);
        }
    }
    if root {
        unsupported(&ebs, &[("snapshotId", "the root disk is that of the parent image", "")]);
        machine.set_filled("disk", disk);
    } else {
        let mut volume = Map::default();
        volume.set("device", name);
        context.set(&mut volume, "snapshot", get(&ebs, "snapshotId"), Context::text);
        volume.0.extend(disk.0);
        add(volume, machine);
    }
}

fn add(volume: Map, machine: &mut Map) {
    let mut volumes = match machine.get("volumes") {
        Some(Value::List(volumes)) => volumes.clone(),
        _ => Vec::new(),
    };
    volumes.push(volume.into());
    machine.set("volumes", volumes);
}

fn additional(more: &Reader, project: &Project, machine: &mut Map) {
    if let Some(agent) = get(more, "systemsManagerAgent") {
        agent.drop(
            "the bake works over SSH and does not change the SSM agent",
            "Remove it with a step if it must not stay.",
        );
    }
    let Some(data) = get(more, "userDataOverride") else { return };
    let Some(words) = project.context.plain(&data) else { return };
    let text = words.literal().map(|literal| {
        let bytes = STANDARD.decode(literal.trim()).ok();
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| literal.to_owned())
    });
    match text {
        Some(text) if ami_bake_manifest::access::credential::holds(&text) || text.contains("${{") => {
            data.drop("it contains a credential or `${{`", "Write `machine.user-data` by hand.");
        }
        Some(text) => machine.set_from("user-data", text, &data),
        None => machine.set_from("user-data", words.manifest(), &data),
    }
}
