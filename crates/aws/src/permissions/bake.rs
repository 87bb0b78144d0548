//! What a bake itself needs: a machine, and an image of it.

use std::collections::BTreeMap;

use ami_bake_core::plan::MachineSettings;
use ami_bake_core::platform::Permission;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::Key;
use aws_sdk_ec2::client::Client as Ec2;
use aws_sdk_ec2::types::{
    ArchitectureValues, AttributeValue, BlockDeviceMapping, EbsBlockDevice, ImageAttributeName, InstanceSpecification,
    InstanceType, IpPermission, IpRange, ResourceType, Tag,
};
use aws_smithy_types::Blob;
use futures::future::{BoxFuture, join_all};

use super::probe::probe;
use crate::client::Client;
use crate::machine::specification;
use crate::platform::Inner;

/// A name for what is never created.
pub(super) const NAME: &str = "ami-bake-dry-run";
// Ids of the right form that belong to nothing.
const INSTANCE: &str = "i-00000000000000000";
pub(super) const IMAGE: &str = "ami-00000000000000000";
pub(super) const SNAPSHOT: &str = "snap-00000000000000000";
const GROUP: &str = "sg-00000000000000000";
const INTERFACE: &str = "eni-00000000000000000";
/// A small type of each architecture, for a manifest that names none.
const TYPES: [&str; 2] = ["t3.small", "t4g.small"];
/// The newest Amazon Linux, which every account can see.
const PUBLIC: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// One finding for each action that a bake on these machines needs.
pub(super) async fn bake(aws: &Inner, run: &Run, machines: &[MachineSettings]) -> Result<Vec<Permission>> {
    let needs = Needs::of(machines);
    let mut found = run.until_cancelled(reads(aws)).await?;
    found.extend(run.until_cancelled(Box::pin(launch(aws, machines, &needs))).await?);
    found.extend(run.until_cancelled(join_all(writes(&aws.client, &needs)?)).await?);
    found.extend(needs.unasked());
    Ok(found)
}

/// What the machines need beyond what every bake needs.
#[derive(Default)]
struct Needs {
    spot: bool,
    role: bool,
    profile: bool,
    own_groups: bool,
    lineage: bool,
}

impl Needs {
    fn of(machines: &[MachineSettings]) -> Self {
        let any = |test: fn(&MachineSettings) -> bool| machines.iter().any(test);
        Self {
            spot: any(|machine| machine.spot),
            role: any(|machine| machine.policy.is_some()),
            profile: any(|machine| machine.profile.is_some()),
            lineage: any(|machine| machine.lineage),
            own_groups: machines.is_empty() || any(|machine| machine.security_groups.is_empty()),
        }
    }

    /// Actions that can't be asked for without doing them.
    fn unasked(&self) -> Vec<Permission> {
        let role = [
            "iam:CreateRole",
            "iam:TagRole",
            "iam:PutRolePolicy",
            "iam:CreateInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
        ];
        let actions =
            role.iter().filter(|_| self.role).copied().chain((self.role || self.profile).then_some("iam:PassRole"));
        actions
            .map(|action| Permission {
                action: action.to_owned(),
                allowed: None,
                detail: Some("IAM has no dry run; the first refusal names the statement that is missing".to_owned()),
            })
            .collect()
    }
}

async fn reads(aws: &Inner) -> Vec<Permission> {
    let client = &aws.client;
    let ec2 = &client.ec2;
    let asked: Vec<BoxFuture<'_, Permission>> = vec![
        Box::pin(probe(client, "DescribeImages", ec2.describe_images().owners("self").dry_run(true).send())),
        Box::pin(probe(client, "DescribeInstances", ec2.describe_instances().dry_run(true).send())),
        Box::pin(probe(client, "DescribeSnapshots", ec2.describe_snapshots().owner_ids("self").dry_run(true).send())),
        Box::pin(probe(client, "DescribeSubnets", ec2.describe_subnets().dry_run(true).send())),
        Box::pin(probe(client, "DescribeVpcs", ec2.describe_vpcs().dry_run(true).send())),
        Box::pin(probe(client, "DescribeSecurityGroups", ec2.describe_security_groups().dry_run(true).send())),
        Box::pin(probe(
            client,
            "GetConsoleOutput",
            ec2.get_console_output().instance_id(INSTANCE).dry_run(true).send(),
        )),
        Box::pin(probe(
            client,
            "DescribeImageAttribute",
            ec2.describe_image_attribute().image_id(IMAGE).attribute(ImageAttributeName::UefiData).dry_run(true).send(),
        )),
    ];
    join_all(asked).await
}

/// RunInstances, with an image that exists: EC2 judges the image before the role.
async fn launch(aws: &Inner, machines: &[MachineSettings], needs: &Needs) -> Vec<Permission> {
    const ACTION: &str = "RunInstances";
    let client = &aws.client;
    let Some((image, architecture)) = some_image(aws).await else {
        let detail = "no image is known to ask it with".to_owned();
        return vec![Permission { action: format!("ec2:{ACTION}"), allowed: None, detail: Some(detail) }];
    };
    let machine = machines.first().cloned().unwrap_or_default();
    let arm = architecture == Some(ArchitectureValues::Arm64);
    let kind = machine.types.first().map_or(TYPES[usize::from(arm)], String::as_str);
    let mut asked = client
        .ec2
        .run_instances()
        .dry_run(true)
        .image_id(image)
        .instance_type(InstanceType::from(kind))
        .min_count(1)
        .max_count(1)
        .set_subnet_id(machine.subnets.first().cloned())
        .set_security_group_ids(Some(machine.security_groups.clone()).filter(|groups| !groups.is_empty()))
        .tag_specifications(specification(ResourceType::Instance, &tags()))
        .tag_specifications(specification(ResourceType::Volume, &tags()));
    if needs.spot {
        let spot = aws_sdk_ec2::types::InstanceMarketOptionsRequest::builder()
            .market_type(aws_sdk_ec2::types::MarketType::Spot)
            .build();
        asked = asked.instance_market_options(spot);
    }
    vec![probe(client, ACTION, asked.send()).await]
}

/// An image to ask with: one that was looked up already, else the newest Amazon Linux.
async fn some_image(aws: &Inner) -> Option<(String, Option<ArchitectureValues>)> {
    if let Some(image) = aws.sources.any() {
        return Some((image.image_id()?.to_owned(), image.architecture().cloned()));
    }
    let request = aws.client.ssm.get_parameter().name(PUBLIC);
    let answer = aws.client.ask("GetParameter", request.send()).await.ok()?;
    Some((answer.parameter()?.value()?.to_owned(), Some(ArchitectureValues::X8664)))
}

pub(super) fn tags() -> BTreeMap<String, String> {
    BTreeMap::from([("Name".to_owned(), NAME.to_owned())])
}

fn writes<'a>(client: &'a Client, needs: &Needs) -> Result<Vec<BoxFuture<'a, Permission>>> {
    let ec2 = &client.ec2;
    let key = Key::generate(NAME)?;
    let mut asked: Vec<BoxFuture<'a, Permission>> = vec![
        Box::pin(probe(
            client,
            "ImportKeyPair",
            ec2.import_key_pair()
                .key_name(NAME)
                .public_key_material(Blob::new(key.public().line()))
                .tag_specifications(specification(ResourceType::KeyPair, &tags()))
                .dry_run(true)
                .send(),
        )),
        Box::pin(probe(client, "DeleteKeyPair", ec2.delete_key_pair().key_name(NAME).dry_run(true).send())),
    ];
    if needs.own_groups {
        asked.extend(own_group(client, ec2));
    }
    if needs.spot {
        let stop = AttributeValue::builder().value("stop").build();
        let request = ec2.modify_instance_attribute().instance_id(INSTANCE).instance_initiated_shutdown_behavior(stop);
        asked.push(Box::pin(probe(client, "ModifyInstanceAttribute", request.dry_run(true).send())));
    } else {
        let request = ec2.stop_instances().instance_ids(INSTANCE);
        asked.push(Box::pin(probe(client, "StopInstances", request.dry_run(true).send())));
    }
    if needs.lineage {
        let request = ec2.copy_snapshot().source_region(client.region()).source_snapshot_id(SNAPSHOT);
        let request = request.tag_specifications(specification(ResourceType::Snapshot, &tags()));
        asked.push(Box::pin(probe(client, "CopySnapshot", request.dry_run(true).send())));
    }
    asked.extend(image(client, ec2));
    Ok(asked)
}

/// The bake's own security group.
fn own_group<'a>(client: &'a Client, ec2: &'a Ec2) -> Vec<BoxFuture<'a, Permission>> {
    let ssh = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .ip_ranges(IpRange::builder().cidr_ip("192.0.2.1/32").build())
        .build();
    vec![
        Box::pin(probe(
            client,
            "CreateSecurityGroup",
            ec2.create_security_group()
                .group_name(NAME)
                .description("asked for by ami-bake plan --permissions")
                .tag_specifications(specification(ResourceType::SecurityGroup, &tags()))
                .dry_run(true)
                .send(),
        )),
        Box::pin(probe(
            client,
            "AuthorizeSecurityGroupIngress",
            ec2.authorize_security_group_ingress().group_id(GROUP).ip_permissions(ssh).dry_run(true).send(),
        )),
        Box::pin(probe(
            client,
            "DeleteSecurityGroup",
            ec2.delete_security_group().group_id(GROUP).dry_run(true).send(),
        )),
        Box::pin(probe(
            client,
            "ModifyNetworkInterfaceAttribute",
            ec2.modify_network_interface_attribute().network_interface_id(INTERFACE).groups(GROUP).dry_run(true).send(),
        )),
    ]
}

/// From the snapshots to the final image, and the end of the machine.
fn image<'a>(client: &'a Client, ec2: &'a Ec2) -> Vec<BoxFuture<'a, Permission>> {
    let root = BlockDeviceMapping::builder()
        .device_name("/dev/xvda")
        .ebs(EbsBlockDevice::builder().snapshot_id(SNAPSHOT).build())
        .build();
    let tag = Tag::builder().key("Name").value(NAME).build();
    vec![
        Box::pin(probe(
            client,
            "CreateSnapshots",
            ec2.create_snapshots()
                .instance_specification(InstanceSpecification::builder().instance_id(INSTANCE).build())
                .tag_specifications(specification(ResourceType::Snapshot, &tags()))
                .dry_run(true)
                .send(),
        )),
        Box::pin(probe(
            client,
            "RegisterImage",
            ec2.register_image()
                .name(NAME)
                .architecture(ArchitectureValues::X8664)
                .virtualization_type("hvm")
                .root_device_name("/dev/xvda")
                .block_device_mappings(root)
                .tag_specifications(specification(ResourceType::Image, &tags()))
                .dry_run(true)
                .send(),
        )),
        Box::pin(probe(
            client,
            "CreateTags",
            ec2.create_tags().resources(SNAPSHOT).tags(tag.clone()).dry_run(true).send(),
        )),
        Box::pin(probe(client, "DeleteTags", ec2.delete_tags().resources(SNAPSHOT).tags(tag).dry_run(true).send())),
        Box::pin(probe(client, "DeregisterImage", ec2.deregister_image().image_id(IMAGE).dry_run(true).send())),
        Box::pin(probe(client, "DeleteSnapshot", ec2.delete_snapshot().snapshot_id(SNAPSHOT).dry_run(true).send())),
        Box::pin(probe(
            client,
            "TerminateInstances",
            ec2.terminate_instances().instance_ids(INSTANCE).dry_run(true).send(),
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machines_need_is_asked_for() {
        let plain = MachineSettings { security_groups: vec!["sg-1".to_owned()], ..MachineSettings::default() };
        let needs = Needs::of(std::slice::from_ref(&plain));
        assert!(!needs.own_groups && !needs.spot && needs.unasked().is_empty());
        let more = MachineSettings { policy: Some("{}".to_owned()), spot: true, ..MachineSettings::default() };
        let needs = Needs::of(&[plain, more]);
        assert!(needs.own_groups && needs.spot);
        let unasked = needs.unasked();
        assert!(unasked.iter().any(|one| one.action == "iam:CreateRole" && one.allowed.is_none()));
        assert_eq!(unasked.last().unwrap().action, "iam:PassRole");
    }
}
