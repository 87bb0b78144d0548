//! The expected attributes of an image, for RegisterImage and for comparison with DescribeImages.

use std::collections::BTreeMap;

use ami_bake_core::plan::ImageSettings;
use aws_sdk_ec2::client::Client;
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::types::{
    ArchitectureValues, BootModeValues, Image, ImdsSupportValues, ResourceType, TpmSupportValues, VirtualizationType,
};

use super::mapping::{self, Device, DeviceSource, Volume};
use super::tags::specification;

/// The expected attributes of an image. RegisterImage's own defaults are i386 and paravirtual (EC2 API), so everything
/// is set explicitly.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageSpec {
    /// Name of the image.
    pub(crate) name: String,
    /// Description of the image.
    pub(crate) description: String,
    /// Tags of the image.
    pub(crate) tags: BTreeMap<String, String>,
    architecture: Option<ArchitectureValues>,
    root_device: Option<String>,
    ena: Option<bool>,
    sriov: Option<String>,
    boot_mode: Option<BootModeValues>,
    tpm: Option<TpmSupportValues>,
    /// The UEFI variables that the source was registered with, in base64.
    pub(crate) uefi_data: Option<String>,
    imds_v2: bool,
    /// The billing operation in DescribeImages; it can't be set, and must stay the same.
    usage_operation: Option<String>,
    devices: Vec<Device>,
    /// True when EC2 copies the image: the snapshots' IDs are not known in advance, and EC2 takes omitted attributes
    /// from the source.
    copied: bool,
    /// True when every volume must be encrypted.
    encrypted: bool,
}

impl ImageSpec {
    /// The expected copy of `like`; `encrypted` when a key is given.
    pub(crate) fn copy_of(like: &Image, name: &str, settings: &ImageSettings, encrypted: bool) -> Self {
        let devices = mapping::of_image(like);
        let wanted = Self::new(like, name.to_owned(), settings, BTreeMap::new(), devices);
        Self { copied: true, encrypted, ..wanted }
    }

    /// True when instances of the image must require IMDSv2.
    pub(crate) fn requires_tokens(&self) -> bool {
        self.imds_v2
    }

    /// The spec of an image like `like`, with another name and these devices.
    pub(crate) fn new(
        like: &Image,
        name: String,
        settings: &ImageSettings,
        tags: BTreeMap<String, String>,
        devices: Vec<Device>,
    ) -> Self {
        Self {
            name,
            description: settings.description.clone(),
            tags,
            architecture: like.architecture().cloned(),
            root_device: like.root_device_name().map(str::to_owned),
            ena: like.ena_support(),
            sriov: like.sriov_net_support().map(str::to_owned),
            boot_mode: like.boot_mode().cloned(),
            tpm: like.tpm_support().cloned(),
            uefi_data: None,
            imds_v2: settings.imds_v2.unwrap_or(true),
            usage_operation: like.usage_operation().map(str::to_owned),
            devices,
            copied: false,
            encrypted: false,
        }
    }

    /// True when the image can have UEFI variables.
    pub(crate) fn has_uefi(&self) -> bool {
        matches!(self.boot_mode, Some(BootModeValues::Uefi | BootModeValues::UefiPreferred))
    }

    /// True where `seen` has the only boot mode that arm64 knows, and none was asked for (EC2 user guide, "Instance type
    /// requirements for UEFI boot mode": Graviton types boot UEFI alone).
    fn fills_in_uefi(&self, seen: &Image) -> bool {
        let arm64 = self.architecture == Some(ArchitectureValues::Arm64);
        arm64 && self.boot_mode.is_none() && seen.boot_mode() == Some(&BootModeValues::Uefi)
    }

    /// The call that makes it.
    pub(crate) fn request(&self, client: &Client) -> RegisterImageFluentBuilder {
        client
            .register_image()
            .name(&self.name)
            .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
            .set_architecture(self.architecture.clone())
            .virtualization_type("hvm")
            .set_root_device_name(self.root_device.clone())
            .set_ena_support(self.ena)
            .set_sriov_net_support(self.sriov.clone())
            .set_boot_mode(self.boot_mode.clone())
            .set_tpm_support(self.tpm.clone())
            .set_uefi_data(self.uefi_data.clone())
            .set_imds_support(self.imds_v2.then_some(ImdsSupportValues::V20))
            .set_block_device_mappings(Some(self.devices.iter().map(Device::request).collect()))
            .tag_specifications(specification(ResourceType::Image, &self.tags))
    }

    /// The differences of `seen`, each in a few words.
    pub(crate) fn differences(&self, seen: &Image) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, wanted: String, seen: String| {
            if wanted != seen {
                found.push(format!("{what} is {seen} instead of {wanted}"));
            }
        };
        compare("name", self.name.clone(), seen.name().unwrap_or_default().to_owned());
        if !(self.copied && self.description.is_empty()) {
            compare("description", self.description.clone(), seen.description().unwrap_or_default().to_owned());
        }
        compare("architecture", shown(self.architecture.as_ref()), shown(seen.architecture()));
        compare("virtualization type", VirtualizationType::Hvm.to_string(), shown(seen.virtualization_type()));
        compare("root device", shown(self.root_device.as_ref()), shown(seen.root_device_name()));
        compare("ENA support", self.ena.unwrap_or(false).to_string(), seen.ena_support().unwrap_or(false).to_string());
        compare("SR-IOV support", shown(self.sriov.as_ref()), shown(seen.sriov_net_support()));
        if !self.fills_in_uefi(seen) {
            compare("boot mode", shown(self.boot_mode.as_ref()), shown(seen.boot_mode()));
        }
        compare("TPM support", shown(self.tpm.as_ref()), shown(seen.tpm_support()));
        let imds = self.imds_v2.then_some(ImdsSupportValues::V20);
        if !self.copied || self.imds_v2 {
            compare("IMDS support", shown(imds.as_ref()), shown(seen.imds_support()));
        }
        compare("billing code", shown(self.usage_operation.as_ref()), shown(seen.usage_operation()));
        // CopyImage encrypts snapshots: an empty volume stays as it is described.
        for mapping in seen.block_device_mappings().iter().filter(|_| self.encrypted) {
            if mapping.ebs().is_some_and(|ebs| ebs.encrypted() != Some(true) && ebs.snapshot_id().is_some()) {
                let what = format!("device {}", mapping.device_name().unwrap_or_default());
                compare(&what, "encrypted".to_owned(), "plain".to_owned());
            }
        }
        let devices = mapping::of_image(seen);
        for wanted in &self.devices {
            match devices.iter().find(|device| device.name == wanted.name) {
                None => compare(&format!("device {}", wanted.name), "in the mapping".to_owned(), "missing".to_owned()),
                Some(device) => compare_device(wanted, device, self.copied, &mut compare),
            }
        }
        for device in devices.iter().filter(|device| !self.devices.iter().any(|wanted| wanted.name == device.name)) {
            compare(&format!("device {}", device.name), "left out".to_owned(), "in the mapping".to_owned());
        }
        found
    }
}

fn compare_device(wanted: &Device, seen: &Device, copied: bool, compare: &mut impl FnMut(&str, String, String)) {
    let of = |what: &str| format!("{what} of {}", wanted.name);
    let (wanted, seen) = match (&wanted.source, &seen.source) {
        (DeviceSource::Volume(wanted), DeviceSource::Volume(seen)) => (wanted, seen),
        (wanted, seen) => return compare(&of("kind"), kind(wanted), kind(seen)),
    };
    // EC2 chooses the snapshots of a copy.
    if !copied || wanted.snapshot.is_some() != seen.snapshot.is_some() {
        compare(&of("snapshot"), shown(wanted.snapshot.as_ref()), shown(seen.snapshot.as_ref()));
    }
    if wanted.encrypted.is_some() {
        compare(&of("encryption"), shown(wanted.encrypted), shown(seen.encrypted));
    }
    if wanted.size.is_some() {
        compare(&of("size in GiB"), shown(wanted.size), shown(seen.size));
    }
    if wanted.kind.is_some() {
        compare(&of("volume type"), shown(wanted.kind.as_ref()), shown(seen.kind.as_ref()));
    }
    let speed = |volume: &Volume| (volume.iops, volume.throughput);
    let ((iops, throughput), (seen_iops, seen_throughput)) = (speed(wanted), speed(seen));
    if iops.is_some() {
        compare(&of("IOPS"), shown(iops), shown(seen_iops));
    }
    if throughput.is_some() {
        compare(&of("throughput"), shown(throughput), shown(seen_throughput));
    }
    compare(&of("DeleteOnTermination"), wanted.ends_with_instance.to_string(), seen.ends_with_instance.to_string());
}

fn kind(source: &DeviceSource) -> String {
    match source {
        DeviceSource::Volume(_) => "a volume".to_owned(),
        DeviceSource::Host(name) => name.clone(),
    }
}

fn shown(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "unset".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, VolumeType};

    fn ebs() -> aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder {
        EbsBlockDevice::builder()
            .snapshot_id("snap-1")
            .volume_size(8)
            .volume_type(VolumeType::Gp3)
            .iops(3000)
            .throughput(125)
            .delete_on_termination(true)
    }

    fn image(ebs: aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder) -> aws_sdk_ec2::types::builders::ImageBuilder {
        Image::builder()
            .name("web/1.0.0")
            .architecture(ArchitectureValues::Arm64)
            .virtualization_type(VirtualizationType::Hvm)
            .root_device_name("/dev/xvda")
            .ena_support(true)
            .sriov_net_support("simple")
            .boot_mode(BootModeValues::Uefi)
            .tpm_support(TpmSupportValues::V20)
            .imds_support(ImdsSupportValues::V20)
            .usage_operation("RunInstances")
            .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs.build()).build())
    }

    fn spec(settings: &ImageSettings) -> ImageSpec {
        let like = image(ebs()).build();
        let devices = mapping::of_image(&like);
        ImageSpec::new(&like, "web/1.0.0".to_owned(), settings, BTreeMap::new(), devices)
    }

    #[test]
    fn an_image_as_wanted_has_no_difference() {
        assert_eq!(spec(&ImageSettings::default()).differences(&image(ebs()).build()), [""; 0]);
    }

    #[test]
    fn every_difference_is_named() {
        let seen =
            |change: fn(aws_sdk_ec2::types::builders::ImageBuilder) -> aws_sdk_ec2::types::builders::ImageBuilder| {
                spec(&ImageSettings::default()).differences(&change(image(ebs())).build())
            };
        assert_eq!(
            seen(|image| image.architecture(ArchitectureValues::I386)),
            ["architecture is i386 instead of arm64"]
        );
        assert_eq!(seen(|image| image.set_boot_mode(None)), ["boot mode is unset instead of uefi"]);
        assert_eq!(seen(|image| image.set_imds_support(None)), ["IMDS support is unset instead of v2.0"]);
        assert_eq!(seen(|image| image.ena_support(false)), ["ENA support is false instead of true"]);
        assert_eq!(
            seen(|image| image.usage_operation("RunInstances:0010")),
            ["billing code is RunInstances:0010 instead of RunInstances"]
        );
        let of_disk = |disk| spec(&ImageSettings::default()).differences(&image(disk).build());
        assert_eq!(
            of_disk(ebs().iops(4000).throughput(1000)),
            ["IOPS of /dev/xvda is 4000 instead of 3000", "throughput of /dev/xvda is 1000 instead of 125"]
        );
        assert_eq!(of_disk(ebs().snapshot_id("snap-2")), ["snapshot of /dev/xvda is snap-2 instead of snap-1"]);
        let extra = BlockDeviceMapping::builder().device_name("/dev/sdf").ebs(ebs().build()).build();
        let more = spec(&ImageSettings::default()).differences(&image(ebs()).block_device_mappings(extra).build());
        assert_eq!(more, ["device /dev/sdf is in the mapping instead of left out"]);
    }

    #[test]
    fn what_ec2_fills_in_by_itself_is_no_difference() {
        let unset = |architecture: ArchitectureValues| {
            let like = image(ebs()).architecture(architecture).set_boot_mode(None).build();
            let devices = mapping::of_image(&like);
            ImageSpec::new(&like, "web/1.0.0".to_owned(), &ImageSettings::default(), BTreeMap::new(), devices)
        };
        let seen = |architecture: ArchitectureValues, mode| {
            unset(architecture.clone()).differences(&image(ebs()).architecture(architecture).boot_mode(mode).build())
        };
        assert_eq!(seen(ArchitectureValues::Arm64, BootModeValues::Uefi), [""; 0]);
        let other = ["boot mode is uefi-preferred instead of unset"];
        assert_eq!(seen(ArchitectureValues::Arm64, BootModeValues::UefiPreferred), other);
        assert_eq!(seen(ArchitectureValues::X8664, BootModeValues::Uefi), ["boot mode is uefi instead of unset"]);
    }

    #[test]
    fn a_copy_is_its_source_in_all_but_snapshots() {
        let like = image(ebs()).build();
        let of = |encrypted| ImageSpec::copy_of(&like, "web/1.0.0", &ImageSettings::default(), encrypted);
        let copy = |ebs| image(ebs).description("of EC2's own").build();
        assert_eq!(of(false).differences(&copy(ebs().snapshot_id("snap-9"))), [""; 0]);
        assert_eq!(
            of(true).differences(&copy(ebs().snapshot_id("snap-9").volume_size(16))),
            ["device /dev/xvda is plain instead of encrypted", "size in GiB of /dev/xvda is 16 instead of 8"]
        );
        assert_eq!(of(true).differences(&copy(ebs().encrypted(true))), [""; 0]);
        let open = copy(ebs()).imds_support().cloned();
        assert_eq!(open, Some(ImdsSupportValues::V20));
        let lost = image(ebs()).set_imds_support(None).build();
        assert_eq!(of(false).differences(&lost), ["IMDS support is unset instead of v2.0"]);
    }

    #[test]
    fn imds_is_left_open_only_on_request() {
        let open = ImageSettings { imds_v2: Some(false), ..ImageSettings::default() };
        assert_eq!(spec(&open).differences(&image(ebs()).build()), ["IMDS support is v2.0 instead of unset"]);
        assert_eq!(spec(&open).differences(&image(ebs()).set_imds_support(None).build()), [""; 0]);
    }
}
