//! Launch templates and groups of the account's owner, and their state.

use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::{Fixture, WEB};
use crate::owner::{autoscaling, ec2, element};

/// The home region.
pub(crate) const HOME: &str = "us-east-1";

/// A manifest of a small image with this `deploy`.
pub(crate) fn manifest(deploy: &str) -> String {
    format!("version: 1.0.0\n{WEB}    build:\n      - run: echo hello > /opt/hello\n    deploy: {deploy}\n")
}

/// The content of all elements with this name.
pub(crate) fn elements(answer: &str, name: &str) -> Vec<String> {
    let begin = format!("<{name}>");
    answer.split(&begin).skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect()
}

/// The ID of the image that the templates begin with.
pub(crate) fn first_image(fixture: &Fixture) -> String {
    let query = "Action=DescribeImages&Owner.1=099720109477&Filter.1.Name=name&Filter.1.Value.1=*noble*";
    element(&ec2(fixture, HOME, query), "imageId")
}

/// Creates a launch template with one version that has this image and `more`; returns its ID.
pub(crate) fn template(fixture: &Fixture, name: &str, more: &str) -> String {
    let image = first_image(fixture);
    let query = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName={name}&LaunchTemplateData.ImageId={image}&LaunchTemplateData.InstanceType=t3.small{more}"
    );
    let id = element(&ec2(fixture, HOME, &query), "launchTemplateId");
    forgive(fixture);
    id
}

/// Creates a group of five machines in service, with a version of a template and `more`.
pub(crate) fn group(fixture: &Fixture, name: &str, template: &str, version: &str, more: &str) {
    let query = format!("&LaunchTemplate.LaunchTemplateId={template}&LaunchTemplate.Version={version}{more}");
    group_with(fixture, name, &query);
}

/// Creates a group with its launch template in `more`.
pub(crate) fn group_with(fixture: &Fixture, name: &str, more: &str) {
    let query = format!(
        "Action=CreateAutoScalingGroup&AutoScalingGroupName={name}&MinSize=2&MaxSize=9&DesiredCapacity=5&AvailabilityZones.member.1=us-east-1a{more}"
    );
    autoscaling(fixture, HOME, &query);
    forgive(fixture);
    wait::until_true("the group is not in service", || {
        elements(&described(fixture, name), "LifecycleState") == ["InService"; 5]
    });
}

/// Scales a group in to no machines at all.
pub(crate) fn empty(fixture: &Fixture, name: &str) {
    let query = format!("Action=UpdateAutoScalingGroup&AutoScalingGroupName={name}&MinSize=0&DesiredCapacity=0");
    autoscaling(fixture, HOME, &query);
    wait::until_true("the group still has machines", || {
        elements(&described(fixture, name), "LifecycleState").is_empty()
    });
    forgive(fixture);
}

/// Excludes everything that the test prepared from leaks and calls.
fn forgive(fixture: &Fixture) {
    fixture.cloud.forgive_leaks();
    fixture.cloud.forget_calls();
}

pub(crate) fn described(fixture: &Fixture, name: &str) -> String {
    let query = format!("Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={name}");
    autoscaling(fixture, HOME, &query)
}

/// The names of all groups.
pub(crate) fn groups(fixture: &Fixture) -> Vec<String> {
    elements(&autoscaling(fixture, HOME, "Action=DescribeAutoScalingGroups"), "AutoScalingGroupName")
}

/// The version that a group requests, and those that its machines use.
pub(crate) fn versions(fixture: &Fixture, name: &str) -> (String, Vec<String>) {
    let answer = described(fixture, name);
    let (before, rest) = answer.split_once("<Instances>").unwrap();
    let (machines, after) = rest.split_once("</Instances>").unwrap();
    let asked = [before, after].iter().flat_map(|part| elements(part, "Version")).next().unwrap_or_default();
    let mut run = elements(machines, "Version");
    run.sort();
    (asked, run)
}

/// Waits until this many machines of a group use this version of its template.
#[track_caller]
pub(crate) fn until_run_with(fixture: &Fixture, group: &str, version: &str, count: usize) {
    wait::until_true("the group does not get there", || {
        versions(fixture, group).1.iter().filter(|each| *each == version).count() == count
    });
}

/// Numbers, images and descriptions of a template's versions, and its default.
pub(crate) fn template_versions(fixture: &Fixture, template: &str) -> (Vec<String>, String, String) {
    let query = format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={template}");
    let answer = ec2(fixture, HOME, &query);
    let all = elements(&answer, "versionNumber");
    let query = format!("Action=DescribeLaunchTemplates&LaunchTemplateId.1={template}");
    (all, element(&ec2(fixture, HOME, &query), "defaultVersionNumber"), answer)
}

/// The deployments in the last bake's report.
pub(crate) fn rollouts(fixture: &Fixture) -> Vec<Value> {
    fixture.report()["images"][0]["deployed"].as_array().cloned().unwrap_or_default()
}

/// The rollouts in a call's events (`--json`).
pub(crate) fn rollout_events(stdout: &str) -> Vec<Value> {
    let events = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event["event"]["deployed"]["rollout"].clone()).filter(|rollout| !rollout.is_null()).collect()
}
