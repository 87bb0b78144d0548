//! An Auto Scaling group: the template version that it uses, and its configuration with another version.

use ami_bake_core::{Error, Result};
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, DesiredConfiguration, Instance, LaunchTemplate, LaunchTemplateSpecification, LifecycleState,
    MixedInstancesPolicy,
};

use super::template::Template;
use crate::client::Client;

/// The template version that a group requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestedVersion {
    /// A fixed version number.
    Number(i64),
    /// The template's default version.
    Default,
    /// The template's latest version.
    Latest,
}

impl RequestedVersion {
    pub(super) fn of(version: Option<&str>) -> Self {
        match version {
            // Unset means the default (Auto Scaling API, LaunchTemplateSpecification).
            None | Some("" | "$Default") => Self::Default,
            Some("$Latest") => Self::Latest,
            Some(number) => number.parse().map_or(Self::Default, Self::Number),
        }
    }

    /// The number that it resolves to now.
    pub(super) fn number(self, template: &Template) -> i64 {
        match self {
            Self::Number(number) => number,
            Self::Default => template.default,
            Self::Latest => template.latest,
        }
    }

    /// The version in the API's syntax.
    pub(super) fn as_version(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Default => "$Default".to_owned(),
            Self::Latest => "$Latest".to_owned(),
        }
    }
}

/// A group and its launch template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) raw: AutoScalingGroup,
    pub(super) name: String,
    specification: LaunchTemplateSpecification,
}

/// The group of this name; `None` if it does not exist.
pub(super) async fn describe(client: &Client, name: &str) -> Result<Option<AutoScalingGroup>> {
    let request = client.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name);
    let doing = format!("look up the Auto Scaling group {name}");
    let answer = client.call("DescribeAutoScalingGroups", &doing, request.send()).await?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

/// The group of this name, which must use a launch template.
///
/// # Errors
/// When it does not exist, or can't be moved to another version.
pub(super) async fn find(client: &Client, name: &str) -> Result<Group> {
    let place = client.place();
    let Some(raw) = describe(client, name).await? else {
        return Err(Error::preflight(format!("Auto Scaling group {name} not found in {place}")).help(
            "`aws autoscaling describe-auto-scaling-groups` lists the groups. Check `region` and `role` of the entry.",
        ));
    };
    Group::new(raw)
}

impl Group {
    /// Wraps a described group.
    ///
    /// # Errors
    /// When the group does not use a launch template, or is being deleted.
    pub(super) fn new(raw: AutoScalingGroup) -> Result<Self> {
        let name = raw.auto_scaling_group_name().unwrap_or_default().to_owned();
        if let Some(status) = raw.status().filter(|status| status.contains("Delete")) {
            return Err(Error::preflight(format!("the Auto Scaling group {name} is being deleted ({status})")));
        }
        if let Some(configuration) = raw.launch_configuration_name() {
            return Err(Error::preflight(format!(
                "the Auto Scaling group {name} uses the launch configuration {configuration}, not a launch template"
            ))
            .help(format!(
                "Launch configurations can't be changed and AWS no longer develops them. Create a launch template from it \
                 (EC2 console: Launch Configurations, Actions, Copy to launch template), then `aws autoscaling \
                 update-auto-scaling-group --auto-scaling-group-name {name} --launch-template LaunchTemplateName=…,Version=1`, \
                 and set that template here."
            )));
        }
        let specification = match (raw.mixed_instances_policy(), raw.launch_template()) {
            (Some(policy), _) => policy.launch_template().and_then(LaunchTemplate::launch_template_specification),
            (None, one) => one,
        };
        let Some(specification) = specification.cloned() else {
            return Err(Error::preflight(format!("the Auto Scaling group {name} has no launch template")));
        };
        Ok(Self { raw, name, specification })
    }

    /// ID of its launch template.
    pub(super) fn template(&self) -> &str {
        self.specification.launch_template_id().unwrap_or_default()
    }

    /// Name of its launch template.
    pub(super) fn template_name(&self) -> &str {
        self.specification.launch_template_name().unwrap_or_default()
    }

    /// The template version that the group requests.
    pub(super) fn follows(&self) -> RequestedVersion {
        RequestedVersion::of(self.specification.version())
    }

    /// True when EC2 itself can roll the group back: all versions in its configuration are numbers (user guide, "Undo
    /// changes with a rollback").
    pub(super) fn is_steady(&self) -> bool {
        let overrides = self.raw.mixed_instances_policy().and_then(MixedInstancesPolicy::launch_template);
        let overrides = overrides.map(LaunchTemplate::overrides).unwrap_or_default().iter();
        overrides
            .filter_map(|one| one.launch_template_specification())
            .chain([&self.specification])
            .all(|one| matches!(RequestedVersion::of(one.version()), RequestedVersion::Number(_)))
    }

    /// The group's configuration with another version of its template and no other change: the whole mixed instances
    /// policy if there is one, including overrides with the same template.
    pub(super) fn with_version(&self, version: &str) -> DesiredConfiguration {
        let desired = DesiredConfiguration::builder();
        match self.raw.mixed_instances_policy() {
            None => desired.launch_template(self.moved(&self.specification, version)).build(),
            Some(policy) => desired.mixed_instances_policy(self.policy(policy, version)).build(),
        }
    }

    fn policy(&self, policy: &MixedInstancesPolicy, version: &str) -> MixedInstancesPolicy {
        let mut policy = policy.clone();
        if let Some(template) = &mut policy.launch_template {
            if let Some(one) = &mut template.launch_template_specification {
                *one = self.moved(one, version);
            }
            for one in template.overrides.iter_mut().flatten() {
                if let Some(own) = &mut one.launch_template_specification {
                    *own = self.moved(own, version);
                }
            }
        }
        policy
    }

    /// A template specification with the new version; another template stays as it is. Requests accept either ID or
    /// name.
    fn moved(&self, one: &LaunchTemplateSpecification, version: &str) -> LaunchTemplateSpecification {
        let mut moved = one.clone();
        if moved.launch_template_id.is_some() {
            moved.launch_template_name = None;
        }
        let ours = one.launch_template_id() == Some(self.template())
            || (one.launch_template_id().is_none() && one.launch_template_name() == Some(self.template_name()));
        if ours {
            moved.version = Some(version.to_owned());
        }
        moved
    }

    /// Checks that the group's machines can be replaced.
    ///
    /// # Errors
    /// When a required process is suspended (user guide, "Suspend and resume processes").
    pub(super) fn replaces_machines(&self) -> Result<()> {
        let needed = ["InstanceRefresh", "Launch", "Terminate"];
        let suspended = self.raw.suspended_processes().iter().filter_map(|one| one.process_name());
        let stopped: Vec<&str> = suspended.filter(|name| needed.contains(name)).collect();
        if stopped.is_empty() {
            return Ok(());
        }
        let names = stopped.join(" ");
        Err(Error::preflight(format!("{} can't replace machines: its processes {names} are suspended", self.name))
            .help(format!(
                "Resume them once their owner agrees: `aws autoscaling resume-processes --auto-scaling-group-name {} \
             --scaling-processes {names}`.",
                self.name
            )))
    }

    /// Number of machines that a refresh would wait for (an hour by default) before it fails: those protected from
    /// scale-in, or in standby (Auto Scaling API, RefreshPreferences).
    pub(super) fn held(&self) -> usize {
        let standby = |one: &&Instance| {
            matches!(one.lifecycle_state(), Some(LifecycleState::Standby | LifecycleState::EnteringStandby))
        };
        self.raw.instances().iter().filter(|one| one.protected_from_scale_in() == Some(true) || standby(one)).count()
    }

    /// The instances that use this version of the group's template.
    pub(super) fn on(&self, version: i64) -> impl Iterator<Item = &Instance> {
        let version = version.to_string();
        self.raw.instances().iter().filter(move |one| {
            one.launch_template().is_some_and(|template| {
                template.launch_template_id() == Some(self.template()) && template.version() == Some(version.as_str())
            })
        })
    }

    /// The version that most instances use, except `not`.
    pub(super) fn prevailing(&self, not: i64) -> Option<i64> {
        let mut counts = std::collections::BTreeMap::<i64, usize>::new();
        for one in self.raw.instances().iter().filter_map(|one| one.launch_template()) {
            if one.launch_template_id() == Some(self.template())
                && let Some(number) = one.version().and_then(|version| version.parse().ok()).filter(|n| *n != not)
            {
                *counts.entry(number).or_default() += 1;
            }
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(number, _)| number)
    }

    /// The state for messages: "3 of 5 machines run with version 8".
    pub(super) fn state(&self, version: i64) -> String {
        let all = self.raw.instances().len();
        format!("{} of {all} machines of {} run version {version}", self.on(version).count(), self.name)
    }
}

/// True for an instance in service.
pub(super) fn is_in_service(instance: &Instance) -> bool {
    instance.lifecycle_state() == Some(&LifecycleState::InService)
        && instance.health_status().is_none_or(|health| health.eq_ignore_ascii_case("healthy"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{InstancesDistribution, LaunchTemplateOverrides};

    use super::*;

    fn specification(id: &str, version: &str) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .launch_template_id(id)
            .launch_template_name("web")
            .version(version)
            .build()
    }

    fn instance(version: &str) -> Instance {
        let template = specification("lt-1", version);
        Instance::builder().instance_id("i-1").launch_template(template).build()
    }

    fn mixed() -> Group {
        let own = |id: &str, version: &str| {
            LaunchTemplateOverrides::builder()
                .instance_type("t3.small")
                .launch_template_specification(specification(id, version))
                .build()
        };
        let template = LaunchTemplate::builder()
            .launch_template_specification(specification("lt-1", "7"))
            .overrides(own("lt-1", "7"))
            .overrides(own("lt-arm", "$Latest"))
            .build();
        let distribution = InstancesDistribution::builder().on_demand_base_capacity(1).build();
        let policy = MixedInstancesPolicy::builder().launch_template(template).instances_distribution(distribution);
        let raw = AutoScalingGroup::builder().auto_scaling_group_name("web").mixed_instances_policy(policy.build());
        Group::new(raw.instances(instance("7")).instances(instance("8")).instances(instance("7")).build()).unwrap()
    }

    #[test]
    fn of_a_policy_only_versions_of_the_groups_template_move() {
        let group = mixed();
        let moved = group.with_version("8").mixed_instances_policy.unwrap();
        assert_eq!(moved.instances_distribution, group.raw.mixed_instances_policy().unwrap().instances_distribution);
        let template = moved.launch_template.unwrap();
        let version = |one: &LaunchTemplateSpecification| one.version().map(str::to_owned);
        assert_eq!(version(template.launch_template_specification().unwrap()).as_deref(), Some("8"));
        let overrides: Vec<_> = template
            .overrides()
            .iter()
            .map(|one| (one.instance_type(), version(one.launch_template_specification().unwrap())))
            .collect();
        assert_eq!(
            overrides,
            [(Some("t3.small"), Some("8".to_owned())), (Some("t3.small"), Some("$Latest".to_owned()))]
        );
        assert!(template.launch_template_specification().unwrap().launch_template_name().is_none(), "id or name");
        assert!(!group.is_steady(), "an override follows the newest");
        assert_eq!((group.on(7).count(), group.prevailing(7), group.prevailing(8)), (2, Some(8), Some(7)));
    }

    #[test]
    fn a_group_on_a_launch_configuration_gets_help() {
        let raw = AutoScalingGroup::builder().auto_scaling_group_name("web").launch_configuration_name("web-2016");
        let error = Group::new(raw.build()).unwrap_err();
        assert!(error.message().contains("launch configuration web-2016"), "{error}");
        assert!(error.help_text().unwrap().contains("update-auto-scaling-group --auto-scaling-group-name web"));
    }

    #[test]
    fn no_version_is_the_default() {
        for (text, follows) in [
            (None, RequestedVersion::Default),
            (Some("$Latest"), RequestedVersion::Latest),
            (Some("12"), RequestedVersion::Number(12)),
        ] {
            assert_eq!(RequestedVersion::of(text), follows);
        }
    }

    #[test]
    fn what_holds_a_refresh_up_is_seen() {
        let suspended = |name: &str| aws_sdk_autoscaling::types::SuspendedProcess::builder().process_name(name).build();
        let mut group = mixed();
        assert_eq!((group.held(), group.replaces_machines().is_ok()), (0, true));
        group.raw.suspended_processes = Some(vec![suspended("AZRebalance"), suspended("Terminate")]);
        let error = group.replaces_machines().unwrap_err();
        assert!(error.message().contains("its processes Terminate are suspended"), "{error}");
        let mut one = instance("7");
        one.lifecycle_state = Some(LifecycleState::Standby);
        let mut other = instance("7");
        other.protected_from_scale_in = Some(true);
        group.raw.instances = Some(vec![one, other, instance("8")]);
        assert_eq!(group.held(), 2);
    }
}
