//! The state before a deployment: the template, the group in service, and the version that it uses.

use ami_bake_core::plan::{Deployment, Strategy};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::Image;

use super::cluster;
use super::group::{self, Group, RequestedVersion};
use super::template::{self, Template, Version};
use crate::client::Client;

/// Prefix of a template's image ID that refers to a parameter (EC2 user guide, "Use a Systems Manager parameter to
/// reference AMI IDs").
const PARAMETER: &str = "resolve:ssm:";
/// Root device names of common images.
const ROOTS: [&str; 2] = ["/dev/sda1", "/dev/xvda"];

/// State of the template and the group before a deployment.
#[derive(Debug, Clone)]
pub(super) struct CurrentState {
    pub(super) template: Template,
    /// The group in service; for a replacement the one with the highest number.
    pub(super) group: Option<Group>,
    /// The version to copy.
    pub(super) source: Version,
    /// Number of the version in use.
    pub(super) from: i64,
}

impl CurrentState {
    /// Reads the state.
    ///
    /// # Errors
    /// When something does not exist, or can't be moved.
    pub(super) async fn look_up(client: &Client, deployment: &Deployment) -> Result<Self> {
        let template = template::find(client, &deployment.template).await?;
        let group = match (&deployment.group, &deployment.strategy) {
            (None, _) => None,
            (Some(name), Strategy::Refresh(_)) => {
                let group = group::find(client, name).await?;
                group.replaces_machines()?;
                Some(group)
            }
            (Some(name), Strategy::Replace(_)) => Some(cluster::at_work(client, name).await?),
        };
        if let Some(group) = group.as_ref().filter(|group| group.template() != template.id) {
            return Err(Error::preflight(format!(
                "the Auto Scaling group {} uses the launch template {} ({}), not {} ({})",
                group.name,
                group.template_name(),
                group.template(),
                template.name,
                template.id
            ))
            .help("Set `launch-template` to the template that the group uses."));
        }
        let follows = group.as_ref().map_or(RequestedVersion::Default, Group::follows);
        let from = follows.number(&template);
        let which = deployment.source_version.clone().unwrap_or_else(|| from.to_string());
        let Some(source) = template::version(client, &template.id, &which).await? else {
            return Err(Error::preflight(format!("the launch template {} has no version {which}", template.name))
                .help(
                    "`source-version` is a number, `$Default` or `$Latest`. Default: the version that the group uses.",
                ));
        };
        if let Some(parameter) = source.data.image_id().and_then(|id| id.strip_prefix(PARAMETER)) {
            return Err(Error::preflight(format!(
                "version {} of the launch template {} takes its image from the parameter {parameter}",
                source.number, template.name
            ))
            .help(format!(
                "Such a template follows the parameter: set the parameter (`publish: {{parameters: [{parameter}]}}`) and remove this \
                 entry. EC2 can't roll back a group that uses a parameter; to deploy with rollback, set a `source-version` \
                 that has an image ID."
            )));
        }
        Ok(Self { template, group, source, from })
    }

    /// Checks that the new image can replace the old one in the template.
    pub(super) fn fits(&self, old: Option<&Image>, new: &Image) -> Result<()> {
        let name = &self.template.name;
        if let Some(old) = old
            && old.architecture() != new.architecture()
        {
            let of = |image: &Image| image.architecture().map(|one| one.as_str().to_owned()).unwrap_or_default();
            return Err(Error::preflight(format!(
                "the image is for {}, but the launch template {name} uses one for {}",
                of(new),
                of(old)
            ))
            .help("Use a launch template for each architecture: an instance type runs only one."));
        }
        let root = new.root_device_name().unwrap_or_default();
        let was = old.and_then(Image::root_device_name);
        let odd = self
            .source
            .data
            .block_device_mappings()
            .iter()
            .filter_map(|one| one.device_name())
            .find(|device| *device != root && was.map_or_else(|| ROOTS.contains(device), |was| was == *device));
        match odd {
            Some(device) => Err(Error::preflight(format!(
                "the launch template {name} changes the root disk {device}, but the image's is {root}"
            ))
            .help(format!(
                "EC2 would attach a second disk and leave {root} unchanged. Create a version of the template that uses \
                 {root} and set it as `source-version`."
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{ArchitectureValues, LaunchTemplateBlockDeviceMapping, ResponseLaunchTemplateData};

    use super::*;

    fn current(device: &str) -> CurrentState {
        let mapping = LaunchTemplateBlockDeviceMapping::builder().device_name(device).build();
        let data = ResponseLaunchTemplateData::builder().image_id("ami-1").block_device_mappings(mapping).build();
        let template = Template { id: "lt-1".into(), name: "web".into(), default: 1, latest: 1 };
        CurrentState {
            template,
            group: None,
            source: Version { number: 1, created: None, description: String::new(), data },
            from: 1,
        }
    }

    fn image(root: &str) -> Image {
        Image::builder().root_device_name(root).architecture(ArchitectureValues::X8664).build()
    }

    #[test]
    fn the_root_disk_of_the_template_must_be_the_images() {
        let xvda = image("/dev/xvda");
        for (device, old) in [("/dev/sda1", Some(image("/dev/sda1"))), ("/dev/sda1", None)] {
            let error = current(device).fits(old.as_ref(), &xvda).unwrap_err();
            assert!(
                error.message().contains("changes the root disk /dev/sda1, but the image's is /dev/xvda"),
                "{error}"
            );
        }
        current("/dev/xvda").fits(Some(&xvda), &xvda).unwrap();
        current("/dev/sdf").fits(Some(&image("/dev/sda1")), &xvda).unwrap();
        let arm = Image::builder().root_device_name("/dev/xvda").architecture(ArchitectureValues::Arm64).build();
        assert!(current("/dev/sdf").fits(Some(&xvda), &arm).unwrap_err().message().contains("for arm64"));
    }
}
