//! Deletes old versions of a launch template. Every image that a version names counts as used, so retention could
//! delete none.

use ami_bake_core::Result;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, Instance, LaunchTemplate, LaunchTemplateSpecification, MixedInstancesPolicy,
};

use super::group::RequestedVersion;
use super::template::{self, Template};
use crate::client::Client;
use crate::usage::all_groups;

/// Deletes unused versions that ami-bake created, except the newest `keep` and those in `spared`. Other versions are
/// not touched. Returns the deleted numbers, in ascending order.
///
/// # Errors
/// When a call fails; no more versions are deleted then.
pub(super) async fn prune(client: &Client, template: &Template, keep: usize, spared: &[i64]) -> Result<Vec<i64>> {
    let now = template::find(client, &template.id).await?;
    let all = template::versions(client, &template.id).await?;
    let mut old: Vec<i64> =
        all.iter().filter(|version| version.is_ours()).skip(keep).map(|version| version.number).collect();
    old.retain(|number| ![now.default, now.latest].contains(number) && !spared.contains(number));
    if old.is_empty() {
        return Ok(old);
    }
    let groups = all_groups(client).await?;
    let used: Vec<i64> = groups.iter().flat_map(|group| used(group, &now)).collect();
    old.retain(|number| !used.contains(number));
    old.reverse();
    template::delete(client, &template.id, &old).await?;
    Ok(old)
}

/// The versions that a group requests, and those that its machines use: a refresh may go back to them.
pub(super) fn used(group: &AutoScalingGroup, template: &Template) -> Vec<i64> {
    let mixed = group.mixed_instances_policy().and_then(MixedInstancesPolicy::launch_template);
    let overrides = mixed.map(LaunchTemplate::overrides).unwrap_or_default();
    group
        .launch_template()
        .into_iter()
        .chain(mixed.and_then(LaunchTemplate::launch_template_specification))
        .chain(overrides.iter().filter_map(|one| one.launch_template_specification()))
        .chain(group.instances().iter().filter_map(Instance::launch_template))
        .filter(|one| is_of(one, template))
        .map(|one| RequestedVersion::of(one.version()).number(template))
        .collect()
}

fn is_of(one: &LaunchTemplateSpecification, template: &Template) -> bool {
    one.launch_template_id()
        .map_or_else(|| one.launch_template_name() == Some(&template.name), |id| id == template.id.as_str())
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::LaunchTemplateOverrides;

    use super::*;

    #[test]
    fn whatever_a_group_names_is_used() {
        let named = |id: Option<&str>, name: &str, version: &str| {
            LaunchTemplateSpecification::builder()
                .set_launch_template_id(id.map(str::to_owned))
                .launch_template_name(name)
                .version(version)
                .build()
        };
        let own = |one| LaunchTemplateOverrides::builder().launch_template_specification(one).build();
        let mixed = LaunchTemplate::builder()
            .launch_template_specification(named(Some("lt-1"), "web", "7"))
            .overrides(own(named(None, "web", "6")))
            .overrides(own(named(Some("lt-arm"), "web", "5")))
            .overrides(own(named(Some("lt-1"), "web", "$Latest")))
            .build();
        let machine = Instance::builder().launch_template(named(Some("lt-1"), "web", "4")).build();
        let group = AutoScalingGroup::builder()
            .mixed_instances_policy(MixedInstancesPolicy::builder().launch_template(mixed).build())
            .instances(machine)
            .build();
        let template = Template { id: "lt-1".to_owned(), name: "web".to_owned(), default: 1, latest: 9 };
        assert_eq!(used(&group, &template), [7, 6, 9, 4]);
    }
}
