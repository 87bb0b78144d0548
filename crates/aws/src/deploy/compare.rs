//! Compares a version of a launch template with what it should be.

use aws_sdk_ec2::types::{LaunchTemplateBlockDeviceMapping, ResponseLaunchTemplateData};

/// The data of `source` with another image and no other change. A snapshot for the root device is removed: it would put
/// the old image's disk below the new one.
pub(super) fn with_image(source: &ResponseLaunchTemplateData, image: &str, root: &str) -> ResponseLaunchTemplateData {
    let mut data = source.clone();
    data.image_id = Some(image.to_owned());
    for mapping in data.block_device_mappings.iter_mut().flatten() {
        if let (Some(device), Some(ebs)) = (&mapping.device_name, &mut mapping.ebs)
            && device == root
        {
            ebs.snapshot_id = None;
        }
    }
    data
}

/// The fields in which two versions differ, by EC2's names.
pub(super) fn differences(wanted: &ResponseLaunchTemplateData, seen: &ResponseLaunchTemplateData) -> Vec<&'static str> {
    let mut all = Vec::new();
    macro_rules! compare {
        ($($field:ident: $name:literal),+ $(,)?) => {
            $(if wanted.$field != seen.$field { all.push($name); })+
        };
    }
    compare! {
        kernel_id: "KernelId",
        ebs_optimized: "EbsOptimized",
        iam_instance_profile: "IamInstanceProfile",
        network_interfaces: "NetworkInterfaces",
        image_id: "ImageId",
        instance_type: "InstanceType",
        key_name: "KeyName",
        monitoring: "Monitoring",
        placement: "Placement",
        ram_disk_id: "RamDiskId",
        disable_api_termination: "DisableApiTermination",
        instance_initiated_shutdown_behavior: "InstanceInitiatedShutdownBehavior",
        user_data: "UserData",
        tag_specifications: "TagSpecifications",
        security_group_ids: "SecurityGroupIds",
        security_groups: "SecurityGroups",
        instance_market_options: "InstanceMarketOptions",
        credit_specification: "CreditSpecification",
        cpu_options: "CpuOptions",
        capacity_reservation_specification: "CapacityReservationSpecification",
        license_specifications: "LicenseSpecifications",
        hibernation_options: "HibernationOptions",
        metadata_options: "MetadataOptions",
        enclave_options: "EnclaveOptions",
        instance_requirements: "InstanceRequirements",
        private_dns_name_options: "PrivateDnsNameOptions",
        maintenance_options: "MaintenanceOptions",
        disable_api_stop: "DisableApiStop",
        network_performance_options: "NetworkPerformanceOptions",
        secondary_interfaces: "SecondaryInterfaces",
    }
    if mappings(wanted) != mappings(seen) {
        all.push("BlockDeviceMappings");
    }
    all
}

/// The mapping sorted by device: EC2 guarantees no order.
fn mappings(data: &ResponseLaunchTemplateData) -> Vec<&LaunchTemplateBlockDeviceMapping> {
    let mut all: Vec<_> = data.block_device_mappings().iter().collect();
    all.sort_by_key(|mapping| mapping.device_name());
    all
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceType, LaunchTemplateEbsBlockDevice};

    use super::*;

    fn mapping(device: &str, snapshot: Option<&str>) -> LaunchTemplateBlockDeviceMapping {
        let ebs = LaunchTemplateEbsBlockDevice::builder().set_snapshot_id(snapshot.map(str::to_owned)).volume_size(9);
        LaunchTemplateBlockDeviceMapping::builder().device_name(device).ebs(ebs.build()).build()
    }

    #[test]
    fn only_the_image_and_the_snapshot_below_it_change() {
        let source = ResponseLaunchTemplateData::builder()
            .image_id("ami-1")
            .instance_type(InstanceType::T3Small)
            .block_device_mappings(mapping("/dev/sda1", Some("snap-root")))
            .block_device_mappings(mapping("/dev/sdf", Some("snap-data")))
            .build();
        let wanted = with_image(&source, "ami-2", "/dev/sda1");
        let made = ResponseLaunchTemplateData::builder()
            .image_id("ami-2")
            .instance_type(InstanceType::T3Small)
            .block_device_mappings(mapping("/dev/sdf", Some("snap-data")))
            .block_device_mappings(mapping("/dev/sda1", None))
            .build();
        assert_eq!(differences(&wanted, &made), [""; 0]);
        let mut lost = made.clone();
        lost.block_device_mappings = Some(vec![mapping("/dev/sda1", None), mapping("/dev/sdf", None)]);
        lost.instance_type = None;
        assert_eq!(differences(&wanted, &lost), ["InstanceType", "BlockDeviceMappings"]);
        assert_eq!(differences(&wanted, &source), ["ImageId", "BlockDeviceMappings"]);
    }
}
