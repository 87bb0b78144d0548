//! What publishing needs: copies, sharing, marks, parameters, retention, other accounts.

use std::sync::Arc;

use ami_bake_core::plan::{CopyMethod, Distribution, TargetPlan};
use ami_bake_core::platform::Permission;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, ImageUsageResourceTypeRequest, LaunchPermission,
    LaunchPermissionModifications, OperationType, ResourceType, SnapshotAttributeName, Tag,
};
use futures::future::{BoxFuture, join_all};

use super::bake::{IMAGE, NAME, SNAPSHOT, tags};
use super::probe::{probe, unasked};
use crate::client::Client;
use crate::machine::specification;
use crate::platform::Inner;

/// Long enough ahead for EC2 to take it as a time of deprecation.
const SOME_DAY: i64 = 4_000_000_000;
/// Nobody's account.
const ACCOUNT: &str = "000000000000";

type Asked<'a> = Vec<BoxFuture<'a, Permission>>;

/// One finding for each action that these publications need.
pub(super) async fn publish(home: &Arc<Inner>, all: &[&Distribution], retires: bool) -> Vec<Permission> {
    let client = &home.client;
    let any = |test: fn(&Distribution) -> bool| all.iter().any(|one| test(one));
    let mut elsewhere: Vec<(Arc<Inner>, Option<&TargetPlan>)> = Vec::new();
    let other = all.iter().flat_map(|one| &one.regions).find(|region| region.region != client.region());
    elsewhere.extend(other.map(|region| (home.in_region(&region.region), None)));
    for target in all.iter().flat_map(|one| &one.targets) {
        let region = target.regions.first().map_or(client.region(), |region| region.region.as_str());
        elsewhere.push((home.at(region, Some(&target.role)), Some(target)));
    }
    let mut asked: Asked<'_> = Vec::new();
    let whole = any(|one| one.copy == CopyMethod::Image);
    for (there, target) in &elsewhere {
        asked.extend(copies(&there.client, client.region(), whole, target.is_some()));
    }
    if any(|one| !one.targets.is_empty()) {
        asked.push(lending(client));
    }
    asked.extend(marks(client, all));
    let mut found = join_all(asked).await;
    let home_and_others =
        std::iter::once(home).chain(elsewhere.iter().filter(|(_, of)| of.is_some()).map(|(there, _)| there));
    for there in home_and_others {
        if let Some(name) = all.iter().flat_map(|one| &one.parameters).next() {
            found.extend(parameters(&there.client, name).await);
        }
        if retires {
            found.extend(join_all(uses(&there.client)).await);
        }
    }
    found
}

/// Copying into a region, and into another account all that makes an image there.
fn copies<'a>(client: &'a Client, from: &str, whole: bool, account: bool) -> Asked<'a> {
    let ec2 = &client.ec2;
    let mut asked: Asked<'a> = Vec::new();
    if whole {
        let request = ec2.copy_image().name(NAME).source_image_id(IMAGE).source_region(from);
        let request = request.tag_specifications(specification(ResourceType::Image, &tags()));
        asked.push(Box::pin(probe(client, "CopyImage", request.dry_run(true).send())));
    } else {
        let request = ec2.copy_snapshot().source_region(from).source_snapshot_id(SNAPSHOT);
        let request = request.tag_specifications(specification(ResourceType::Snapshot, &tags()));
        asked.push(Box::pin(probe(client, "CopySnapshot", request.dry_run(true).send())));
    }
    if account {
        let ebs = EbsBlockDevice::builder().snapshot_id(SNAPSHOT).build();
        let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build();
        let tag = Tag::builder().key("Name").value(NAME).build();
        let register = ec2
            .register_image()
            .name(NAME)
            .architecture(ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .root_device_name("/dev/xvda")
            .block_device_mappings(root)
            .tag_specifications(specification(ResourceType::Image, &tags()));
        let describe = ec2.describe_images().owners("self").dry_run(true).send();
        let snapshots = ec2.describe_snapshots().owner_ids("self").dry_run(true).send();
        asked.push(Box::pin(probe(client, "DescribeImages", describe)));
        asked.push(Box::pin(probe(client, "DescribeSnapshots", snapshots)));
        asked.push(Box::pin(probe(client, "RegisterImage", register.dry_run(true).send())));
        let request = ec2.create_tags().resources(SNAPSHOT).tags(tag.clone()).dry_run(true).send();
        asked.push(Box::pin(probe(client, "CreateTags", request)));
        let request = ec2.delete_tags().resources(SNAPSHOT).tags(tag).dry_run(true).send();
        asked.push(Box::pin(probe(client, "DeleteTags", request)));
        let request = ec2.deregister_image().image_id(IMAGE).dry_run(true).send();
        asked.push(Box::pin(probe(client, "DeregisterImage", request)));
        let request = ec2.delete_snapshot().snapshot_id(SNAPSHOT).dry_run(true).send();
        asked.push(Box::pin(probe(client, "DeleteSnapshot", request)));
    }
    asked
}

/// Letting another account copy a snapshot.
fn lending(client: &Client) -> BoxFuture<'_, Permission> {
    let request = client
        .ec2
        .modify_snapshot_attribute()
        .snapshot_id(SNAPSHOT)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .operation_type(OperationType::Add)
        .user_ids(ACCOUNT);
    Box::pin(probe(client, "ModifySnapshotAttribute", request.dry_run(true).send()))
}

/// Sharing, deprecation, protection. In another account the same role does them that registers.
fn marks<'a>(client: &'a Client, all: &[&Distribution]) -> Asked<'a> {
    let ec2 = &client.ec2;
    let any = |test: fn(&Distribution) -> bool| all.iter().any(|one| test(one));
    let mut asked: Asked<'a> = Vec::new();
    if any(|one| !one.share.is_nobody()) {
        let one = LaunchPermission::builder().user_id(ACCOUNT).build();
        let change = LaunchPermissionModifications::builder().add(one).build();
        let request = ec2.modify_image_attribute().image_id(IMAGE).launch_permission(change).dry_run(true).send();
        asked.push(Box::pin(probe(client, "ModifyImageAttribute", request)));
    }
    if any(|one| one.share.public) {
        let request = ec2.get_image_block_public_access_state().dry_run(true).send();
        asked.push(Box::pin(probe(client, "GetImageBlockPublicAccessState", request)));
    }
    if any(|one| one.deprecate_after.is_some()) {
        let request = ec2.enable_image_deprecation().image_id(IMAGE).deprecate_at(DateTime::from_secs(SOME_DAY));
        asked.push(Box::pin(probe(client, "EnableImageDeprecation", request.dry_run(true).send())));
    }
    if any(|one| one.protect) {
        let request = ec2.enable_image_deregistration_protection().image_id(IMAGE).dry_run(true).send();
        asked.push(Box::pin(probe(client, "EnableImageDeregistrationProtection", request)));
    }
    asked
}

/// Reading and setting a parameter.
async fn parameters(client: &Client, name: &str) -> Vec<Permission> {
    let read = probe(client, "GetParameter", client.ssm.get_parameter().name(name).send()).await;
    let why = "Systems Manager has no dry run; the first refusal names the statement that is missing";
    vec![read, unasked(client, "PutParameter", why)]
}

/// Who uses an image.
fn uses(client: &Client) -> Asked<'_> {
    let groups = &client.autoscaling;
    let request = client.ec2.describe_image_references().image_ids(IMAGE).include_all_resource_types(true);
    let reports = client.ec2.describe_image_usage_reports().dry_run(true);
    let entries = client.ec2.describe_image_usage_report_entries().dry_run(true);
    let kind = ImageUsageResourceTypeRequest::builder().resource_type("ec2:Instance").build();
    let report = client.ec2.create_image_usage_report().image_id(IMAGE).resource_types(kind).dry_run(true);
    vec![
        Box::pin(probe(client, "DescribeImageReferences", request.dry_run(true).send())),
        Box::pin(probe(client, "DescribeImageUsageReports", reports.send())),
        Box::pin(probe(client, "DescribeImageUsageReportEntries", entries.send())),
        Box::pin(probe(client, "CreateImageUsageReport", report.send())),
        Box::pin(probe(
            client,
            "DescribeAutoScalingGroups",
            groups.describe_auto_scaling_groups().max_records(1).send(),
        )),
        Box::pin(probe(
            client,
            "DescribeLaunchConfigurations",
            groups.describe_launch_configurations().max_records(1).send(),
        )),
    ]
}
