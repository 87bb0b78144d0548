//! Checks for actions after a bake: sharing, deprecation, finding users of an image, launch templates.

use ami_bake_core::plan::Deployment;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    ImageUsageResourceTypeRequest, LaunchPermission, LaunchPermissionModifications, OperationType,
    RequestLaunchTemplateData, SnapshotAttributeName,
};

use super::question::{ACCOUNT, IMAGE, NAME, Question, SNAPSHOT, Subject, dry};
use crate::client::Client;

/// A time in May 2033: in the future, and within the 10 years that EC2 accepts as a deprecation time.
const SOME_DAY: i64 = 2_000_000_000;

/// The check for an action of publishing and deploying.
pub(super) fn ask<'a>(client: &'a Client, action: &str, about: &'a Subject<'a>) -> Question<'a> {
    let ec2 = &client.ec2;
    let call = action.strip_prefix("ec2:")?;
    match call {
        "ModifyImageAttribute" => {
            let one = LaunchPermission::builder().user_id(ACCOUNT).build();
            let change = LaunchPermissionModifications::builder().add(one).build();
            let request = ec2.modify_image_attribute().image_id(IMAGE).launch_permission(change);
            dry!(client, "ModifyImageAttribute", request)
        }
        // Checks sharing a snapshot with another account.
        "ModifySnapshotAttribute" => {
            let request = ec2
                .modify_snapshot_attribute()
                .snapshot_id(SNAPSHOT)
                .attribute(SnapshotAttributeName::CreateVolumePermission)
                .operation_type(OperationType::Add)
                .user_ids(ACCOUNT);
            dry!(client, "ModifySnapshotAttribute", request)
        }
        "EnableImageDeprecation" => {
            let request = ec2.enable_image_deprecation().image_id(IMAGE);
            dry!(client, "EnableImageDeprecation", request.deprecate_at(DateTime::from_secs(SOME_DAY)))
        }
        "EnableImageDeregistrationProtection" => {
            let request = ec2.enable_image_deregistration_protection().image_id(IMAGE);
            dry!(client, "EnableImageDeregistrationProtection", request)
        }
        "CreateImageUsageReport" => {
            let kind = ImageUsageResourceTypeRequest::builder().resource_type("ec2:Instance").build();
            dry!(client, "CreateImageUsageReport", ec2.create_image_usage_report().image_id(IMAGE).resource_types(kind))
        }
        _ => template(client, call, about.deployments.first().copied()),
    }
}

fn template<'a>(client: &'a Client, call: &str, deployment: Option<&Deployment>) -> Question<'a> {
    let ec2 = &client.ec2;
    let template = Some(deployment.map_or_else(|| NAME.to_owned(), |deployment| deployment.template.clone()));
    let is_id = template.as_deref().is_some_and(|name| name.starts_with("lt-"));
    let (id, name) = if is_id { (template, None) } else { (None, template) };
    match call {
        "DescribeLaunchTemplateVersions" => {
            let request = ec2.describe_launch_template_versions().set_launch_template_id(id);
            dry!(client, "DescribeLaunchTemplateVersions", request.set_launch_template_name(name))
        }
        "CreateLaunchTemplateVersion" => {
            let data = RequestLaunchTemplateData::builder().image_id(IMAGE).build();
            let request = ec2.create_launch_template_version().set_launch_template_id(id).launch_template_data(data);
            dry!(client, "CreateLaunchTemplateVersion", request.set_launch_template_name(name))
        }
        "DeleteLaunchTemplateVersions" => {
            let request = ec2.delete_launch_template_versions().set_launch_template_id(id).versions("1");
            dry!(client, "DeleteLaunchTemplateVersions", request.set_launch_template_name(name))
        }
        "ModifyLaunchTemplate" => {
            let request = ec2.modify_launch_template().set_launch_template_id(id).default_version("1");
            dry!(client, "ModifyLaunchTemplate", request.set_launch_template_name(name))
        }
        _ => None,
    }
}
