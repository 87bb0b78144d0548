//! Checks for creating and deleting machines and images.

use ami_bake_core::Result;
use ami_bake_core::platform::Permission;
use ami_bake_core::tags::RUN;
use ami_bake_ssh::{Key, KeyType};
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::types::{
    ArchitectureValues, AttributeValue, BlockDeviceMapping, EbsBlockDevice, InstanceMarketOptionsRequest,
    InstanceSpecification, InstanceType, IpPermission, IpRange, MarketType, ResourceType, Tag, TagSpecification,
};
use aws_smithy_types::Blob;

use super::probe::probe;
use super::question::{IMAGE, INSTANCE, NAME, Question, SNAPSHOT, Subject, dry};
use crate::image::{Images, specification};
use crate::machine::subnets;

const GROUP: &str = "sg-00000000000000000";
const INTERFACE: &str = "eni-00000000000000000";
const VOLUME: &str = "vol-00000000000000000";
/// A small type of each architecture, for manifests that name none.
const TYPES: [&str; 2] = ["t3.small", "t4g.small"];
/// Parameter of the newest Amazon Linux, which every account can read.
const PUBLIC: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// The check for an action on machines, their disks, snapshots and images.
pub(super) fn ask<'a>(images: &'a Images, action: &str, about: &'a Subject<'a>) -> Question<'a> {
    let client = &*images.client;
    let ec2 = &client.ec2;
    let tag = || Tag::builder().key("Name").value(NAME).build();
    match action.strip_prefix("ec2:")? {
        "RunInstances" => Some(Box::pin(launch(images, about))),
        "StopInstances" => dry!(client, "StopInstances", ec2.stop_instances().instance_ids(INSTANCE)),
        "RebootInstances" => dry!(client, "RebootInstances", ec2.reboot_instances().instance_ids(INSTANCE)),
        "TerminateInstances" => dry!(client, "TerminateInstances", ec2.terminate_instances().instance_ids(INSTANCE)),
        "ModifyInstanceAttribute" => {
            let stop = AttributeValue::builder().value("stop").build();
            let request = ec2.modify_instance_attribute().instance_id(INSTANCE);
            dry!(client, "ModifyInstanceAttribute", request.instance_initiated_shutdown_behavior(stop))
        }
        "ImportKeyPair" => {
            let key = Key::generate(KeyType::Ed25519, NAME).ok()?;
            let request = ec2.import_key_pair().key_name(NAME).public_key_material(Blob::new(key.public().line()));
            dry!(client, "ImportKeyPair", request.tag_specifications(tags(ResourceType::KeyPair)))
        }
        "DeleteKeyPair" => dry!(client, "DeleteKeyPair", ec2.delete_key_pair().key_name(NAME)),
        "CreateSecurityGroup" => {
            let request = ec2.create_security_group().group_name(NAME);
            let request = request.description("checked by ami-bake plan --permissions");
            dry!(client, "CreateSecurityGroup", request.tag_specifications(tags(ResourceType::SecurityGroup)))
        }
        "AuthorizeSecurityGroupIngress" => {
            let from = IpRange::builder().cidr_ip("192.0.2.1/32").build();
            let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(from).build();
            let request = ec2.authorize_security_group_ingress().group_id(GROUP).ip_permissions(ssh);
            dry!(client, "AuthorizeSecurityGroupIngress", request)
        }
        "DeleteSecurityGroup" => dry!(client, "DeleteSecurityGroup", ec2.delete_security_group().group_id(GROUP)),
        "ModifyNetworkInterfaceAttribute" => {
            let request = ec2.modify_network_interface_attribute().network_interface_id(INTERFACE).groups(GROUP);
            dry!(client, "ModifyNetworkInterfaceAttribute", request)
        }
        "CreateSnapshots" => {
            let machine = InstanceSpecification::builder().instance_id(INSTANCE).build();
            let request = ec2.create_snapshots().instance_specification(machine);
            dry!(client, "CreateSnapshots", request.tag_specifications(tags(ResourceType::Snapshot)))
        }
        "CreateImage" => {
            let request = ec2.create_image().instance_id(INSTANCE).name(NAME);
            let request = request.tag_specifications(tags(ResourceType::Image));
            dry!(client, "CreateImage", request.tag_specifications(tags(ResourceType::Snapshot)))
        }
        "RegisterImage" => dry!(client, "RegisterImage", register(ec2.register_image())),
        "CopyImage" => {
            let request = ec2.copy_image().name(NAME).source_image_id(IMAGE).source_region(about.from);
            let request = request.tag_specifications(tags(ResourceType::Image));
            dry!(client, "CopyImage", request.tag_specifications(tags(ResourceType::Snapshot)))
        }
        "CopySnapshot" => {
            let request = ec2.copy_snapshot().source_region(about.from).source_snapshot_id(SNAPSHOT);
            dry!(client, "CopySnapshot", request.tag_specifications(tags(ResourceType::Snapshot)))
        }
        "CreateTags" => dry!(client, "CreateTags", ec2.create_tags().resources(SNAPSHOT).tags(tag())),
        "DeleteTags" => dry!(client, "DeleteTags", ec2.delete_tags().resources(SNAPSHOT).tags(tag())),
        "DeregisterImage" => dry!(client, "DeregisterImage", ec2.deregister_image().image_id(IMAGE)),
        "DeleteSnapshot" => dry!(client, "DeleteSnapshot", ec2.delete_snapshot().snapshot_id(SNAPSHOT)),
        "DeleteVolume" => dry!(client, "DeleteVolume", ec2.delete_volume().volume_id(VOLUME)),
        _ => None,
    }
}

/// The tags of a bake: the policy only allows creating resources with these tags.
fn tags(of: ResourceType) -> TagSpecification {
    specification(of, &[("Name", NAME), (RUN, NAME)].map(|(key, value)| (key.to_owned(), value.to_owned())).into())
}

fn register(request: RegisterImageFluentBuilder) -> RegisterImageFluentBuilder {
    let ebs = EbsBlockDevice::builder().snapshot_id(SNAPSHOT).build();
    let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build();
    request
        .name(NAME)
        .architecture(ArchitectureValues::X8664)
        .virtualization_type("hvm")
        .root_device_name("/dev/xvda")
        .block_device_mappings(root)
        .tag_specifications(tags(ResourceType::Image))
}

/// Checks RunInstances with an existing image: EC2 checks the image before the permissions.
async fn launch(images: &Images, about: &Subject<'_>) -> Result<Permission> {
    const ACTION: &str = "RunInstances";
    let client = &*images.client;
    let Some((image, architecture)) = some_image(images).await? else {
        return Ok(super::probe::unasked(client, ACTION, "there is no image to check it with"));
    };
    let machine = about.machines.first().map(|machine| (*machine).clone()).unwrap_or_default();
    let subnet = match subnets::find(client, &machine).await {
        Ok(found) => found.into_iter().next().map(|subnet| subnet.id),
        Err(error) => return Ok(super::probe::unasked(client, ACTION, &error.to_string())),
    };
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
        .set_subnet_id(subnet)
        .set_security_group_ids(Some(machine.security_groups.clone()).filter(|groups| !groups.is_empty()))
        .tag_specifications(tags(ResourceType::Instance))
        .tag_specifications(tags(ResourceType::Volume))
        .tag_specifications(tags(ResourceType::NetworkInterface));
    if about.machines.iter().any(|machine| machine.spot) {
        asked = asked
            .instance_market_options(InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).build())
            .tag_specifications(tags(ResourceType::SpotInstancesRequest));
    }
    probe(client, ACTION, asked.send()).await
}

/// An image for the check: one that was looked up already, else the newest Amazon Linux, if the role may look it up.
///
/// # Errors
/// When AWS did not answer.
async fn some_image(images: &Images) -> Result<Option<(String, Option<ArchitectureValues>)>> {
    if let Some(image) = images.descriptions.any() {
        return Ok(image.image_id().map(|id| (id.to_owned(), image.architecture().cloned())));
    }
    let request = images.client.ssm.get_parameter().name(PUBLIC);
    match images.client.ask("GetParameter", request.send()).await {
        Ok(answer) => {
            let id = answer.parameter().and_then(|parameter| parameter.value());
            Ok(id.map(|id| (id.to_owned(), Some(ArchitectureValues::X8664))))
        }
        Err(failure) if failure.unknown() || failure.throttled() => {
            Err(images.client.explain(*failure, "look up an image to check ec2:RunInstances with").await)
        }
        Err(_) => Ok(None),
    }
}
