//! Launch templates and their versions.

use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use aws_sdk_ec2::types::{
    Image, LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateVersion, RequestLaunchTemplateData, ResponseLaunchTemplateData,
    ValidationWarning,
};
use jiff::Timestamp;

use super::compare::{differences, with_image};
use super::ledger_kinds::{VERSION, VersionMark, line, version_id};
use crate::client::ledger::PLATFORM;
use crate::client::{Client, hash, pages};

/// Versions per page; EC2's maximum is 200.
const PAGE: i32 = 200;
/// Time after which a new version is visible everywhere.
const VISIBLE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum length of a version's description (EC2 API, CreateLaunchTemplateVersion).
const DESCRIPTION: usize = 255;

/// Part of the description of every version that ami-bake creates, before the run's ID.
const OURS: &str = ", by ami-bake run ";
/// Maximum number of versions per delete call (EC2 API, DeleteLaunchTemplateVersions).
const DELETED: usize = 200;

/// A launch template in its present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) default: i64,
    pub(super) latest: i64,
}

/// A version of a launch template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) created: Option<Timestamp>,
    pub(super) description: String,
    pub(super) data: ResponseLaunchTemplateData,
}

impl Version {
    fn new(version: LaunchTemplateVersion) -> Option<Self> {
        Some(Self {
            number: version.version_number?,
            created: version.create_time.and_then(|time| Timestamp::from_second(time.secs()).ok()),
            description: version.version_description.unwrap_or_default(),
            data: version.launch_template_data?,
        })
    }

    /// True for a version that ami-bake created.
    pub(super) fn is_ours(&self) -> bool {
        self.run().is_some()
    }

    /// ID of the run that created it, if ami-bake did.
    pub(super) fn run(&self) -> Option<&str> {
        self.description.split_once(OURS).map(|(_, run)| run)
    }
}

/// The template with this ID or name.
pub(super) async fn find(client: &Client, named: &str) -> Result<Template> {
    let request = client.ec2.describe_launch_templates();
    let request = if named.starts_with("lt-") {
        request.launch_template_ids(named)
    } else {
        request.launch_template_names(named)
    };
    let missing = || {
        Error::preflight(format!("launch template {named} not found in {}", client.place()))
            .help("`launch-template` is a name or an ID (lt-…). `aws ec2 describe-launch-templates` lists them.")
    };
    let answer = match client.ask("DescribeLaunchTemplates", request.send()).await {
        Ok(answer) => answer,
        Err(failure) if failure.code().contains("NotFound") || failure.code().contains("Malformed") => {
            return Err(missing());
        }
        Err(failure) => return Err(client.explain(*failure, &format!("look up the launch template {named}")).await),
    };
    let found = answer.launch_templates.unwrap_or_default().pop().ok_or_else(missing)?;
    Ok(Template {
        id: found.launch_template_id.unwrap_or_default(),
        name: found.launch_template_name.unwrap_or_default(),
        default: found.default_version_number.unwrap_or_default(),
        latest: found.latest_version_number.unwrap_or_default(),
    })
}

/// A version by its number, `$Default` or `$Latest`; `None` if there is no such version.
pub(super) async fn version(client: &Client, template: &str, which: &str) -> Result<Option<Version>> {
    let request = client.ec2.describe_launch_template_versions().launch_template_id(template).versions(which);
    match client.ask("DescribeLaunchTemplateVersions", request.send()).await {
        Ok(answer) => Ok(answer.launch_template_versions.unwrap_or_default().into_iter().find_map(Version::new)),
        Err(failure) if failure.code().contains("NotFound") => Ok(None),
        Err(failure) => {
            Err(client.explain(*failure, &format!("read version {which} of the launch template {template}")).await)
        }
    }
}

/// All versions, newest first.
pub(super) async fn versions(client: &Client, template: &str) -> Result<Vec<Version>> {
    let doing = format!("list the versions of the launch template {template}");
    let doing = doing.as_str();
    let all = pages(|page| async move {
        let request = client.ec2.describe_launch_template_versions().launch_template_id(template).max_results(PAGE);
        let answer = client.call("DescribeLaunchTemplateVersions", doing, request.set_next_token(page).send()).await?;
        Ok((answer.launch_template_versions.unwrap_or_default(), answer.next_token))
    })
    .await?;
    let mut all: Vec<Version> = all.into_iter().filter_map(Version::new).collect();
    all.sort_by_key(|version| std::cmp::Reverse(version.number));
    Ok(all)
}

/// Source and contents of a new version.
pub(super) struct LaunchTemplateSpec<'a> {
    pub(super) template: &'a Template,
    pub(super) source: &'a Version,
    pub(super) image: &'a Image,
    pub(super) description: String,
    pub(super) group: Option<&'a str>,
}

impl LaunchTemplateSpec<'_> {
    /// The expected contents of the new version.
    pub(super) fn data(&self) -> ResponseLaunchTemplateData {
        let (id, root) = (self.image.image_id(), self.image.root_device_name());
        with_image(&self.source.data, id.unwrap_or_default(), root.unwrap_or_default())
    }

    /// The changes for the request: the image, and the whole mapping if it contains a snapshot, since EC2 takes no
    /// snapshot over from the source version.
    fn request(&self) -> RequestLaunchTemplateData {
        let data = self.data();
        let restated = self.source.data.block_device_mappings().iter().any(has_snapshot);
        let mapping = restated.then(|| data.block_device_mappings().iter().map(restate).collect());
        RequestLaunchTemplateData::builder().set_image_id(data.image_id).set_block_device_mappings(mapping).build()
    }
}

fn has_snapshot(mapping: &LaunchTemplateBlockDeviceMapping) -> bool {
    mapping.ebs().is_some_and(|ebs| ebs.snapshot_id().is_some())
}

fn restate(mapping: &LaunchTemplateBlockDeviceMapping) -> LaunchTemplateBlockDeviceMappingRequest {
    let ebs = mapping.ebs().cloned().map(|ebs| {
        LaunchTemplateEbsBlockDeviceRequest::builder()
            .set_encrypted(ebs.encrypted)
            .set_delete_on_termination(ebs.delete_on_termination)
            .set_iops(ebs.iops)
            .set_kms_key_id(ebs.kms_key_id)
            .set_snapshot_id(ebs.snapshot_id)
            .set_volume_size(ebs.volume_size)
            .set_volume_type(ebs.volume_type)
            .set_throughput(ebs.throughput)
            .set_volume_initialization_rate(ebs.volume_initialization_rate)
            .set_ebs_card_index(ebs.ebs_card_index)
            .build()
    });
    LaunchTemplateBlockDeviceMappingRequest::builder()
        .set_device_name(mapping.device_name.clone())
        .set_virtual_name(mapping.virtual_name.clone())
        .set_no_device(mapping.no_device.clone())
        .set_ebs(ebs)
        .build()
}

/// A description with `what` and the run, short enough for EC2.
pub(super) fn described(what: &str, run: &Run) -> String {
    let run = format!("{OURS}{}", run.id());
    let room = DESCRIPTION.saturating_sub(run.len());
    format!("{}{run}", what.chars().take(room).collect::<String>())
}

/// Creates a version and compares it with what it should be. It stays in the ledger until the deployment ends.
pub(super) async fn create(client: &Client, run: &Run, spec: &LaunchTemplateSpec<'_>) -> Result<Version> {
    let template = spec.template;
    let doing = format!("create a version of the launch template {}", template.name);
    let mark = VersionMark {
        template: template.id.clone(),
        description: spec.description.clone(),
        group: spec.group.map(str::to_owned),
    };
    let image = spec.image.image_id().unwrap_or_default();
    let token = hash(&format!("{}/{}/{}/{image}", run.id(), template.id, spec.source.number), 64);
    run.check()?;
    let ticket = run.intend(PLATFORM, VERSION, Some(client.region()), &line(&mark))?;
    // The token makes the SDK's own retries safe.
    let request = client
        .ec2
        .create_launch_template_version()
        .launch_template_id(&template.id)
        .source_version(spec.source.number.to_string())
        .version_description(&spec.description)
        .launch_template_data(spec.request())
        .client_token(token);
    let answer = match client.ask("CreateLaunchTemplateVersion", request.send()).await {
        Ok(answer) => answer,
        Err(failure) => {
            return Err(client.not_created(run, ticket, *failure, &doing).await);
        }
    };
    for warning in answer.warning().map(ValidationWarning::errors).unwrap_or_default() {
        run.warn(format!("{}: {}", template.name, warning.message().unwrap_or_default()), None);
    }
    let number = answer.launch_template_version().and_then(LaunchTemplateVersion::version_number);
    let number = number.ok_or_else(|| Error::internal(format!("could not {doing}: EC2 returned no number")))?;
    run.ledger().confirm(ticket, &version_id(&template.id, number));
    let made = visible(client, run, template, number).await?;
    let odd = differences(&spec.data(), &made.data);
    if odd.is_empty() {
        return Ok(made);
    }
    // If it can't be deleted it stays in the ledger, and the clean-up retries.
    let _ = discard(client, run, &template.id, number).await;
    Err(Error::new(
        ErrorKind::Deploy,
        format!("could not {doing}: version {number} differs from {} in more than the image: {}", spec.source.number, odd.join(", ")),
    )
    .help("EC2 did not copy all settings of the source version. Create a version from it by hand and set it as `source-version`."))
}

async fn visible(client: &Client, run: &Run, template: &Template, number: i64) -> Result<Version> {
    let shown = listed(client, run, template, number);
    run.waiting(&format!("EC2 to list version {number} of {}", template.name), shown).await
}

async fn listed(client: &Client, run: &Run, template: &Template, number: i64) -> Result<Version> {
    let begun = run.clock().elapsed();
    loop {
        if let Some(made) = version(client, &template.id, &number.to_string()).await? {
            return Ok(made);
        }
        if run.clock().elapsed().saturating_sub(begun) > VISIBLE {
            return Err(Error::new(
                ErrorKind::Deploy,
                format!("version {number} of {} no longer exists", template.name),
            ));
        }
        run.sleep(PAUSE).await?;
    }
}

/// Deletes a version and closes its ledger entry. A missing version is success.
pub(super) async fn discard(client: &Client, run: &Run, template: &str, number: i64) -> Result<()> {
    delete(client, template, &[number]).await?;
    run.ledger().close_id(VERSION, &version_id(template, number), Closed::Deleted);
    Ok(())
}

/// Deletes versions. Missing ones are success.
pub(super) async fn delete(client: &Client, template: &str, numbers: &[i64]) -> Result<()> {
    for numbers in numbers.chunks(DELETED) {
        let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let doing = format!("delete version {} of the launch template {template}", numbers.join(", "));
        let request = client.ec2.delete_launch_template_versions().launch_template_id(template);
        let answer = match client.ask("DeleteLaunchTemplateVersions", request.set_versions(Some(numbers)).send()).await
        {
            Ok(answer) => answer,
            Err(failure) if failure.code().contains("NotFound") => return Ok(()),
            Err(failure) => return Err(client.explain(*failure, &doing).await),
        };
        for refused in answer.unsuccessfully_deleted_launch_template_versions() {
            let Some(why) = refused.response_error() else { continue };
            if !why.code().is_some_and(|code| code.as_str().ends_with("DoesNotExist")) {
                return Err(Error::new(
                    ErrorKind::Deploy,
                    format!("could not {doing}: {}", why.message().unwrap_or("EC2 refused")),
                ));
            }
        }
    }
    Ok(())
}

/// Makes a version the default.
pub(super) async fn set_default(client: &Client, template: &Template, number: i64) -> Result<()> {
    let request = client.ec2.modify_launch_template().launch_template_id(&template.id);
    let request = request.default_version(number.to_string());
    let doing = format!("make version {number} the default of the launch template {}", template.name);
    client.call("ModifyLaunchTemplate", &doing, request.send()).await.map(|_| ())
}
