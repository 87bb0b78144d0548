//! Infrastructure configurations: the build machine.

use super::resource::{get, left};
use super::{Making, Resource};
use crate::yaml::Map;

pub(super) fn read(infrastructure: &Resource, making: &Making, image: &mut Map) {
    let context = &making.context;
    image.within("machine", |machine| {
        if let Some(types) = infrastructure.get("instanceTypes") {
            match context.texts(&types).as_slice() {
                [] => {}
                [one] => machine.set_from("type", one.clone(), &types),
                all => machine.set_from("type", all.to_vec(), &types),
            }
        }
        for (field, key) in [("instanceProfileName", "profile"), ("subnetId", "subnet")] {
            if let Some(field) = infrastructure.get(field)
                && let Some(value) = context.text(&field)
            {
                machine.set_from(key, value, &field);
            }
        }
        if let Some(groups) = infrastructure.get("securityGroupIds") {
            let all = context.texts(&groups);
            if !all.is_empty() {
                machine.set_from("security-groups", all, &groups);
            }
        }
        if let Some(options) = infrastructure.get("instanceMetadataOptions") {
            let mut metadata = Map::default();
            if let Some(tokens) = get(&options, "httpTokens")
                && let Some(value) = context.text(&tokens)
            {
                metadata.set_from("tokens", value, &tokens);
            }
            if let Some(hops) = get(&options, "httpPutResponseHopLimit")
                && let Some(value) = context.number(&hops)
            {
                metadata.set_from("hops", value, &hops);
            }
            machine.set_filled("metadata", metadata);
        }
        if let Some(tags) = infrastructure.get("resourceTags") {
            machine.set_filled("tags", context.map(&tags));
        }
    });
    if let Some(ends) = infrastructure.get("terminateInstanceOnFailure") {
        if context.flag(&ends) == Some(false) {
            ends.drop("a failed machine goes, unless it is asked for", "Use `ami-bake bake --keep-on-failure`.");
        } else {
            ends.tick();
        }
    }
    left(
        &infrastructure.reader,
        &[
            ("name", "the machine is part of its image", ""),
            ("description", "the machine is part of its image", ""),
            ("keyPair", "the bake makes a key of its own for each machine", ""),
            ("logging", "logs are the bake's own output", "Keep them in the workflow: `--json` prints every event."),
            ("snsTopicArn", "nothing is sent to SNS", "Tell of the result in the workflow."),
            (
                "placement",
                "where in a region the machine runs is decided by its subnet",
                "Set `machine.subnet` to a subnet of that zone.",
            ),
            ("tags", "they are tags of the configuration, not of its machines", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("arn", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
            ("dateUpdated", "AWS made it", ""),
        ],
    );
}
