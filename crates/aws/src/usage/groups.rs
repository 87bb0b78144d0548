//! Auto Scaling's references to images that DescribeImageReferences does not include: launch configurations, and images
//! that a mixed instances policy names for single types.

use ami_bake_core::Result;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchConfiguration, LaunchTemplate};

use super::users::Users;
use crate::client::{Client, pages};

/// Auto Scaling's users of images. Groups that use an image through a launch template are covered by the template.
pub(super) async fn groups(client: &Client) -> Result<Users> {
    let (groups, configurations) = tokio::join!(all_groups(client), all_configurations(client));
    let (groups, configurations) = (groups?, configurations?);
    let mut users = Users::new();
    for configuration in &configurations {
        let Some(image) = configuration.image_id() else { continue };
        let name = configuration.launch_configuration_name();
        let at_work = groups.iter().filter(|group| group.launch_configuration_name() == name).filter_map(group_name);
        let by = users.entry(image.to_owned()).or_default();
        by.extend(at_work.map(|group| format!("group {group}")));
        by.insert(format!("launch configuration {}", name.unwrap_or_default()));
    }
    for group in &groups {
        for image in overridden(group) {
            users.entry(image).or_default().extend(group_name(group).map(|name| format!("group {name}")));
        }
    }
    Ok(users)
}

fn group_name(group: &AutoScalingGroup) -> Option<&str> {
    group.auto_scaling_group_name()
}

/// The images that a group's policy names in overrides.
fn overridden(group: &AutoScalingGroup) -> Vec<String> {
    let template = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
    let overrides = template.map(LaunchTemplate::overrides).unwrap_or_default();
    overrides.iter().filter_map(|one| one.image_id()).map(str::to_owned).collect()
}

/// All groups of a region.
pub(crate) async fn all_groups(client: &Client) -> Result<Vec<AutoScalingGroup>> {
    pages(|page| async move {
        let request = client.autoscaling.describe_auto_scaling_groups().max_records(100).set_next_token(page);
        let doing = "list the images that Auto Scaling groups use";
        let answer = client.call("DescribeAutoScalingGroups", doing, request.send()).await?;
        Ok((answer.auto_scaling_groups.unwrap_or_default(), answer.next_token))
    })
    .await
}

async fn all_configurations(client: &Client) -> Result<Vec<LaunchConfiguration>> {
    pages(|page| async move {
        let request = client.autoscaling.describe_launch_configurations().max_records(100).set_next_token(page);
        let doing = "list the images that launch configurations use";
        let answer = client.call("DescribeLaunchConfigurations", doing, request.send()).await?;
        Ok((answer.launch_configurations.unwrap_or_default(), answer.next_token))
    })
    .await
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{LaunchTemplateOverrides, MixedInstancesPolicy};

    use super::*;

    #[test]
    fn what_a_policy_names_beside_its_template_is_used() {
        let one =
            |image: Option<&str>| LaunchTemplateOverrides::builder().set_image_id(image.map(str::to_owned)).build();
        let template = LaunchTemplate::builder().overrides(one(None)).overrides(one(Some("ami-arm"))).build();
        let policy = MixedInstancesPolicy::builder().launch_template(template).build();
        let group = AutoScalingGroup::builder().auto_scaling_group_name("web").mixed_instances_policy(policy).build();
        assert_eq!(overridden(&group), ["ami-arm"]);
        assert!(overridden(&AutoScalingGroup::builder().build()).is_empty());
    }
}
