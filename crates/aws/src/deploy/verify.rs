//! Checks after an instance refresh that the group's machines really run the new version.

use std::time::Duration;

use ami_bake_core::{Error, ErrorKind, Result, Run};
use aws_sdk_autoscaling::types::AutoScalingGroup;

use super::fleet::Fleet;
use super::group::Group;

/// How long EC2's list of a group's machines may lag behind the end of the refresh.
const SETTLE: Duration = Duration::from_secs(15);
/// Additional time for a last DescribeAutoScalingGroups call after [`SETTLE`].
const GRACE: Duration = Duration::from_secs(30);

/// Waits until a machine of the group runs the template version, or the group is empty. Returns the state as a text.
///
/// # Errors
/// When the group has machines of its launch template and none of them runs the version, or when the group can't be
/// described.
pub(super) async fn runs_version(fleet: &Fleet, run: &Run, name: &str, version: i64) -> Result<String> {
    let begun = run.clock().elapsed();
    let decide = |state: Option<AutoScalingGroup>| {
        let late = run.clock().elapsed().saturating_sub(begun) >= SETTLE;
        match state.map(|raw| state_of(raw, version)) {
            None if late => Some(Err(Error::new(ErrorKind::Deploy, format!("the Auto Scaling group {name} is gone")))),
            None => None,
            Some(Err(error)) if error.kind() == ErrorKind::Deploy && !late => None,
            Some(answer) => Some(answer),
        }
    };
    let what = format!("a machine of {name} to run version {version}");
    fleet.groups.wait(run, name, &what, SETTLE + GRACE, decide).await
}

fn state_of(raw: AutoScalingGroup, version: i64) -> Result<String> {
    let group = Group::new(raw)?;
    let name = &group.name;
    if group.raw.instances().is_empty() {
        return Ok(format!("{name} has no machines; the next one launches with version {version}"));
    }
    if group.on(version).next().is_some() {
        return Ok(group.state(version));
    }
    let ours = |id: Option<&str>| id == Some(group.template());
    let own = group.raw.instances().iter().filter_map(|one| one.launch_template());
    let own = own.filter(|template| ours(template.launch_template_id())).count();
    if own == 0 {
        return Ok(format!("the machines of {name} run the launch templates of its overrides"));
    }
    Err(Error::new(
        ErrorKind::Deploy,
        format!("the instance refresh of {name} succeeded, but none of its {own} machines runs version {version}"),
    )
    .help(format!(
        "Something else may change the group at the same time: see `aws autoscaling describe-scaling-activities \
         --auto-scaling-group-name {name}`, then run `ami-bake deploy` again."
    )))
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{Instance, LaunchTemplateSpecification};

    use super::*;

    fn specification(id: &str, version: &str) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder().launch_template_id(id).version(version).build()
    }

    fn state(machines: &[(&str, &str)]) -> Result<String> {
        let mut raw =
            AutoScalingGroup::builder().auto_scaling_group_name("web").launch_template(specification("lt-1", "8"));
        for (template, version) in machines {
            raw = raw.instances(Instance::builder().launch_template(specification(template, version)).build());
        }
        state_of(raw.build(), 8)
    }

    #[test]
    fn only_machines_that_run_the_version_count() {
        for (machines, expected) in [
            (&[][..], "web has no machines; the next one launches with version 8"),
            (&[("lt-1", "7"), ("lt-1", "8")], "1 of 2 machines of web run version 8"),
            (&[("lt-arm", "3")], "the machines of web run the launch templates of its overrides"),
        ] {
            assert_eq!(state(machines).unwrap(), expected);
        }
        for machines in [&[("lt-1", "7")][..], &[("lt-1", "7"), ("lt-arm", "8")]] {
            let error = state(machines).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Deploy, "{error}");
            assert!(error.message().contains("none of its 1 machines runs version 8"), "{error}");
        }
    }
}
