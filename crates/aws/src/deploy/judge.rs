//! What of a deployment can't come to a good end, said before a machine starts.

use std::sync::Arc;

use ami_bake_core::plan::{Deployment, ImagePlan, Strategy};
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::Image;
use futures::future::try_join_all;

use super::cluster;
use super::group::{self, Follows, Group};
use super::keys;
use super::template::{self, Template, Version};
use crate::platform::Inner;

/// Where a template takes its image from a parameter, that is what its id begins with (EC2 user guide, "Use a Systems
/// Manager parameter to reference AMI IDs").
const PARAMETER: &str = "resolve:ssm:";
/// What the root device of common images is called.
const ROOTS: [&str; 2] = ["/dev/sda1", "/dev/xvda"];

/// Refuses deployments that can't come to a good end.
///
/// # Errors
/// [`ami_bake_core::ErrorKind::Preflight`], with what to do.
pub(crate) async fn judge(home: &Arc<Inner>, run: &Run, plan: &ImagePlan) -> Result<()> {
    let wanted = plan.settings.deployments.iter().filter(|deployment| deployment.wanted);
    let judged = try_join_all(wanted.map(async |deployment| {
        let judged = one(home, run, plan, deployment).await;
        judged.map_err(|error| if error.route().is_none() { error.at(deployment.route.clone()) } else { error })
    }));
    run.until_cancelled(judged).await??;
    Ok(())
}

async fn one(home: &Arc<Inner>, run: &Run, plan: &ImagePlan, deployment: &Deployment) -> Result<()> {
    let region = deployment.region.as_deref().unwrap_or(home.client.region());
    reaches(home, plan, deployment, region)?;
    let there = home.at(region, deployment.role.as_deref());
    let begin = Beginning::look(&there, deployment).await?;
    let old = by_id(&there, begin.source.data.image_id().unwrap_or_default()).await?;
    // The image to come has the root device and the processor of what it is made from.
    let new = by_id(home, &plan.source.id).await?;
    if let Some(new) = &new {
        begin.fits(old.as_ref(), new)?;
    }
    let key = match plan.settings.distribution.regions.iter().find(|asked| asked.region == region) {
        Some(asked) if region != home.client.region() => asked.kms_key.as_deref(),
        _ => plan.machine.disk.kms_key.as_deref(),
    };
    if let (Some(group), Some(key)) = (&begin.group, key) {
        keys::warn(&there, run, group, old.as_ref(), key).await?;
    }
    Ok(())
}

/// An image is deployed where it is published.
fn reaches(home: &Inner, plan: &ImagePlan, deployment: &Deployment, region: &str) -> Result<()> {
    let wanted = &plan.settings.distribution;
    let there = region == home.client.region()
        || deployment.role.is_some()
        || (wanted.wanted && wanted.regions.iter().any(|asked| asked.region == region));
    if there {
        return Ok(());
    }
    Err(Error::preflight(format!("deploy {} to {region}: it is not published there", plan.key))
        .help(format!("Add {region} to `publish.regions`."))
        .at(deployment.route.key("region")))
}

/// An image as this account sees it; none where it sees none.
pub(super) async fn by_id(there: &Inner, id: &str) -> Result<Option<Image>> {
    if !id.starts_with("ami-") {
        return Ok(None);
    }
    let client = &there.client;
    let request = client.ec2.describe_images().image_ids(id).include_deprecated(true);
    match client.ask("DescribeImages", request.send()).await {
        Ok(answer) => Ok(answer.images.unwrap_or_default().pop()),
        Err(failure) if failure.not_found() => Ok(None),
        Err(failure) => Err(client.explain(*failure, &format!("look up the image {id}")).await),
    }
}

/// What a deployment begins with.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) template: Template,
    /// The group that is at work; for a replacement that of the highest number.
    pub(super) group: Option<Group>,
    /// The version that is copied.
    pub(super) source: Version,
    /// The number of the version that is at work.
    pub(super) from: i64,
}

impl Beginning {
    /// # Errors
    /// When something is not there, or can't be moved.
    pub(super) async fn look(there: &Inner, deployment: &Deployment) -> Result<Self> {
        let template = template::find(there, &deployment.template).await?;
        let group = match (&deployment.group, &deployment.strategy) {
            (None, _) => None,
            (Some(name), Strategy::Refresh(_)) => {
                let group = group::find(there, name).await?;
                group.replaces_machines()?;
                Some(group)
            }
            (Some(name), Strategy::Replace(_)) => Some(cluster::at_work(there, name).await?),
        };
        if let Some(group) = group.as_ref().filter(|group| group.template() != template.id) {
            return Err(Error::preflight(format!(
                "the Auto Scaling group {} runs with the launch template {} ({}), not with {} ({})",
                group.name,
                group.template_name(),
                group.template(),
                template.name,
                template.id
            ))
            .help("Name the template that the group runs with as `launch-template`."));
        }
        let follows = group.as_ref().map_or(Follows::Default, Group::follows);
        let from = follows.number(&template);
        let which = deployment.source_version.clone().unwrap_or_else(|| from.to_string());
        let Some(source) = template::version(there, &template.id, &which).await? else {
            return Err(Error::preflight(format!("the launch template {} has no version {which}", template.name))
                .help("`source-version` takes a number, `$Default` or `$Latest`; without it, it is what the group runs with."));
        };
        if let Some(parameter) = source.data.image_id().and_then(|id| id.strip_prefix(PARAMETER)) {
            return Err(Error::preflight(format!(
                "version {} of the launch template {} takes its image from the parameter {parameter}",
                source.number, template.name
            ))
            .help(format!(
                "Such a template follows the parameter: set that (`publish: {{parameters: [{parameter}]}}`) and take this entry \
                 out. EC2 can't bring a group back that runs with one; to deploy with a way back, name a `source-version` that \
                 has an image's id."
            )));
        }
        Ok(Self { template, group, source, from })
    }

    /// Judges whether the new image can take the old one's place in the template.
    pub(super) fn fits(&self, old: Option<&Image>, new: &Image) -> Result<()> {
        let name = &self.template.name;
        if let Some(old) = old
            && old.architecture() != new.architecture()
        {
            let of = |image: &Image| image.architecture().map(|one| one.as_str().to_owned()).unwrap_or_default();
            return Err(Error::preflight(format!(
                "the image is for {}, the launch template {name} runs one for {}",
                of(new),
                of(old)
            ))
            .help("Each architecture has a template of its own: its instance types run no other."));
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
                "EC2 would attach a second disk and leave {root} as the image has it. Make a version of the template that says \
                 {root} and name it as `source-version`."
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{ArchitectureValues, LaunchTemplateBlockDeviceMapping, ResponseLaunchTemplateData};

    use super::*;

    fn begin(device: &str) -> Beginning {
        let mapping = LaunchTemplateBlockDeviceMapping::builder().device_name(device).build();
        let data = ResponseLaunchTemplateData::builder().image_id("ami-1").block_device_mappings(mapping).build();
        let template = Template { id: "lt-1".into(), name: "web".into(), default: 1, latest: 1 };
        Beginning { template, group: None, source: Version { number: 1, description: String::new(), data }, from: 1 }
    }

    fn image(root: &str) -> Image {
        Image::builder().root_device_name(root).architecture(ArchitectureValues::X8664).build()
    }

    #[test]
    fn the_root_disk_of_the_template_must_be_the_images() {
        let xvda = image("/dev/xvda");
        for (device, old) in [("/dev/sda1", Some(image("/dev/sda1"))), ("/dev/sda1", None)] {
            let error = begin(device).fits(old.as_ref(), &xvda).unwrap_err();
            assert!(
                error.message().contains("changes the root disk /dev/sda1, but the image's is /dev/xvda"),
                "{error}"
            );
        }
        begin("/dev/xvda").fits(Some(&xvda), &xvda).unwrap();
        begin("/dev/sdf").fits(Some(&image("/dev/sda1")), &xvda).unwrap();
        let arm = Image::builder().root_device_name("/dev/xvda").architecture(ArchitectureValues::Arm64).build();
        assert!(begin("/dev/sdf").fits(Some(&xvda), &arm).unwrap_err().message().contains("for arm64"));
    }
}
