//! Replacing a group with a second one, which is deleted on failure.

use ami_bake_testkit::test_dir::signal;
use serde_json::json;

use crate::fixture::{Fixture, finish};
use crate::fleet::{HOME, described, elements, group, groups, manifest, rollout_events, rollouts, template, versions};
use crate::owner::autoscaling;

const TARGETS: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";

fn replaced(more: &str) -> String {
    manifest(&format!("[{{launch-template: web, auto-scaling-group: web, strategy: replace{more}}}]"))
}

/// A group with traffic, a policy, a scheduled action, a notification, a hook and tags.
fn production(fixture: &Fixture) {
    let web = template(fixture, "web", "");
    let more = format!(
        "&TargetGroupARNs.member.1={TARGETS}&HealthCheckType=ELB&HealthCheckGracePeriod=60&DefaultInstanceWarmup=30&Tags.member.1.Key=team&Tags.member.1.Value=shop&Tags.member.1.PropagateAtLaunch=true&LifecycleHookSpecificationList.member.1.LifecycleHookName=drain&LifecycleHookSpecificationList.member.1.LifecycleTransition=autoscaling:EC2_INSTANCE_TERMINATING"
    );
    group(fixture, "web", &web, "1", &more);
    for query in [
        "Action=PutScalingPolicy&PolicyName=busy&PolicyType=TargetTrackingScaling&TargetTrackingConfiguration.PredefinedMetricSpecification.PredefinedMetricType=ASGAverageCPUUtilization&TargetTrackingConfiguration.TargetValue=50",
        "Action=PutScheduledUpdateGroupAction&ScheduledActionName=night&Recurrence=0+0+*+*+*&MinSize=2",
        "Action=PutNotificationConfiguration&TopicARN=arn:aws:sns:us-east-1:123456789012:ops&NotificationTypes.member.1=autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    ] {
        autoscaling(fixture, HOME, &format!("{query}&AutoScalingGroupName=web"));
    }
}

fn serves(fixture: &Fixture, name: &str) -> bool {
    let answer = described(fixture, name);
    answer.contains(TARGETS)
        && !answer.contains("<ProcessName>")
        && elements(&answer, "LifecycleState") == ["InService"; 5]
}

#[test]
fn a_new_group_copies_the_old_one_and_takes_its_traffic() {
    let fixture = Fixture::new(&replaced(", keep-old: 2h"));
    production(&fixture);
    fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "CreateAutoScalingGroup"}));
    fixture.bake().exits(0).says("web-v000: 5 of 5 machines in service").says("web-v000 in service");
    assert_eq!(groups(&fixture), ["web", "web-v000"]);
    assert_eq!(versions(&fixture, "web-v000"), ("2".to_owned(), vec!["2".to_owned(); 5]));
    assert!(serves(&fixture, "web-v000"));
    let (old, next) = (described(&fixture, "web"), described(&fixture, "web-v000"));
    for part in [
        "<MinSize>2<",
        "<MaxSize>9<",
        "<DesiredCapacity>5<",
        "<HealthCheckType>ELB<",
        "<DefaultInstanceWarmup>30<",
        "<Key>team<",
    ] {
        assert!(next.contains(part), "{part} is not in {next}");
    }
    assert!(!next.contains("ami-bake:expires") && !next.contains("ami-bake:replaces"), "{next}");
    assert!(
        !old.contains(TARGETS) && old.contains("<ProcessName>Launch<") && old.contains("ami-bake:expires"),
        "{old}"
    );
    for (action, part) in [
        ("DescribePolicies", "<PolicyName>busy<"),
        ("DescribeScheduledActions", "<ScheduledActionName>night<"),
        ("DescribeLifecycleHooks", "<LifecycleHookName>drain<"),
    ] {
        let answer = autoscaling(&fixture, HOME, &format!("Action={action}&AutoScalingGroupName=web-v000"));
        assert!(answer.contains(part), "{answer}");
    }
    let query = "Action=DescribeNotificationConfigurations&AutoScalingGroupNames.member.1=web-v000";
    assert!(autoscaling(&fixture, HOME, query).contains("EC2_INSTANCE_LAUNCH_ERROR"));
    let rollout = &rollouts(&fixture)[0];
    assert_eq!((&rollout["outcome"], &rollout["group"]), (&json!("deployed"), &json!("web-v000")), "{rollout:#}");
    let actions = fixture.cloud.actions();
    let at = |name: &str| actions.iter().position(|action| action == name).unwrap();
    assert!(at("AttachLoadBalancerTargetGroups") < at("DetachLoadBalancerTargetGroups"), "somebody always serves");

    // Already deployed. The next version's group has the next number, and an old group that has expired is deleted.
    fixture.run(&["deploy", "--image-version", "1.0.0"]).exits(0).says("Already deployed to ");
    let over = "Action=CreateOrUpdateTags&Tags.member.1.ResourceId=web&Tags.member.1.ResourceType=auto-scaling-group&Tags.member.1.Key=ami-bake:expires&Tags.member.1.Value=2026-01-01T00:00:00Z&Tags.member.1.PropagateAtLaunch=false";
    autoscaling(&fixture, HOME, over);
    fixture.write(
        "bake.yml",
        &replaced(", keep-old: 0s").replace("version: 1.0.0", "version: 1.1.0").replace("echo hello", "echo more"),
    );
    fixture.bake().exits(0).says("web-v001 in service").says("web-v000 deleted");
    assert_eq!(groups(&fixture), ["web-v001"]);
    assert!(serves(&fixture, "web-v001"));
}

#[test]
fn an_unhealthy_new_group_is_deleted() {
    let fixture = Fixture::new(&replaced(", refresh: {wait: 4s}"));
    production(&fixture);
    fixture.cloud.fault(&json!({"kind": "instances-unhealthy", "action": "UpdateAutoScalingGroup"}));
    fixture.bake().exits(8).says("0 of 5 machines of web-v000 were in service after 4s").says("; rolled back");
    assert_eq!(groups(&fixture), ["web"]);
    assert!(serves(&fixture, "web"));
    assert_eq!(rollouts(&fixture)[0]["outcome"], "rolled-back");
    // The traffic can't be moved: everything moved so far is moved back.
    fixture.write("bake.yml", &replaced(""));
    let error = json!({"code": "ServiceUnavailable", "message": "not now", "http": 400});
    fixture.cloud.fault(&json!({"kind": "error", "action": "SuspendProcesses", "error": error}));
    let failed = fixture.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    assert_eq!(rollout_events(&failed.stdout)[0]["outcome"], "rolled-back", "{}", failed.stdout);
    assert_eq!(groups(&fixture), ["web"]);
    assert!(serves(&fixture, "web"), "{}", described(&fixture, "web"));
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn a_cancel_deletes_the_new_group() {
    let fixture = Fixture::new(&replaced(""));
    production(&fixture);
    fixture.cloud.fault(&json!({"kind": "instances-unhealthy", "action": "UpdateAutoScalingGroup"}));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.cloud.until_answered("UpdateAutoScalingGroup", 1);
    signal(&child, "INT");
    finish(child).exits(130);
    assert_eq!(groups(&fixture), ["web"]);
    assert!(serves(&fixture, "web"));
    fixture.holds_only(&["shop/web/1.0.0"]);

    // A killed run leaves its group to sweep.
    fixture.cloud.forget_calls();
    fixture.cloud.fault(&json!({"kind": "instances-unhealthy", "action": "UpdateAutoScalingGroup"}));
    let mut child = fixture.command(&["deploy", "--image-version", "1.0.0"]).spawn().unwrap();
    fixture.cloud.until_answered("UpdateAutoScalingGroup", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(groups(&fixture), ["web", "web-v000"]);
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(groups(&fixture), ["web"]);
    assert!(serves(&fixture, "web"));
    fixture.holds_only(&["shop/web/1.0.0"]);
}
