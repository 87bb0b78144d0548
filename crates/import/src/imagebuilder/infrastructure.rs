//! Converts infrastructure configurations to machine settings.

use super::project::Project;
use super::resource::{Resource, get};
use crate::context::Context;
use crate::yaml::Map;

pub(super) fn read(infrastructure: &Resource, project: &Project, image: &mut Map) {
    let context = &project.context;
    image.within("machine", |machine| {
        if let Some(types) = infrastructure.get("instanceTypes") {
            match context.texts(&types).as_slice() {
                [] => {}
                [one] => machine.set_from("type", one.clone(), &types),
                all => machine.set_from("type", all.to_vec(), &types),
            }
        }
        for (field, key) in [("instanceProfileName", "profile"), ("subnetId", "subnet")] {
            context.set(machine, key, infrastructure.get(field), Context::text);
        }
        if let Some(groups) = infrastructure.get("securityGroupIds") {
            let all = context.texts(&groups);
            if !all.is_empty() {
                machine.set_from("security-groups", all, &groups);
            }
        }
        if let Some(options) = infrastructure.get("instanceMetadataOptions") {
            let mut metadata = Map::default();
            context.set(&mut metadata, "tokens", get(&options, "httpTokens"), Context::text);
            context.set(&mut metadata, "hops", get(&options, "httpPutResponseHopLimit"), Context::number);
            machine.set_filled("metadata", metadata);
        }
        if let Some(tags) = infrastructure.get("resourceTags") {
            machine.set_filled("tags", context.map(&tags));
        }
    });
    if let Some(ends) = infrastructure.get("terminateInstanceOnFailure") {
        if context.flag(&ends) == Some(false) {
            ends.drop(
                "the machine is terminated after a failure by default",
                "Use `ami-bake bake --keep-on-failure` to keep it.",
            );
        } else {
            ends.mark_used();
        }
    }
    infrastructure.report_unsupported(&[
        ("name", "the machine is part of its image", ""),
        ("description", "the machine is part of its image", ""),
        ("keyPair", "the bake creates a key pair for each machine", ""),
        ("logging", "the bake prints its logs", "Keep them in the workflow: `--json` prints every event."),
        ("snsTopicArn", "SNS notifications are not supported", "Send notifications from the workflow."),
        ("placement", "the subnet decides where the machine runs", "Set `machine.subnet` to a subnet in that zone."),
        ("tags", "tags of the configuration, not of its machines", ""),
    ]);
}
