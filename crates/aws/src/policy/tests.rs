use std::time::Duration;

use ami_bake_core::plan;
use ami_bake_core::plan::{
    Distribution, ImageSettings, MachineSettings, RegionPlan, SourceQuery, Strategy, TargetPlan,
};
use semver::Version;
use serde_json::{Value, json};

use super::fixture::{HOME, OTHER, deployment, image, refresh};
use super::publish::pattern;
use super::*;

fn outline(machine: &MachineSettings, settings: impl Fn(&Version) -> ImageSettings) -> Vec<Outline> {
    let plan = |version: Version| image(machine.clone(), settings(&version), version);
    let source = SourceQuery::Parameter("/aws/service/ami".into());
    vec![Outline { source, plan: plan(Version::new(11, 22, 33)), other: plan(Version::new(44, 55, 66)) }]
}

fn statement<'a>(policy: &'a Value, sid: &str) -> &'a Value {
    policy["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == sid).unwrap_or(&Value::Null)
}

fn text(policy: &Value) -> String {
    policy.to_string()
}

#[test]
fn a_plain_bake_may_make_tagged_things_and_touch_only_those() {
    let scope = PolicyScope::of(Some(HOME), "us-east-1");
    let policy = policy(&outline(&MachineSettings::default(), |_| ImageSettings::default()), &[], &scope);
    let request = "aws:RequestTag/ami-bake:run";
    assert_eq!(statement(&policy, "LaunchTagged")["Condition"]["Null"][request], "false");
    assert!(text(statement(&policy, "LaunchTagged")).contains("arn:aws:ec2:us-east-1:111111111111:instance/*"));
    for changing in ["Undo", "Change", "TagLater"] {
        let condition = &statement(&policy, changing)["Condition"]["Null"]["aws:ResourceTag/ami-bake:run"];
        assert_eq!(condition, "false", "{changing}");
    }
    let created = &statement(&policy, "TagAtCreation")["Condition"]["StringEquals"]["ec2:CreateAction"];
    assert!(created.as_array().unwrap().contains(&json!("RunInstances")));
    assert_eq!(statement(&policy, "ReadParameter")["Resource"], "arn:aws:ssm:us-east-1::parameter/aws/service/ami");
    // Nothing is changed or deleted without a condition.
    for one in policy["Statement"].as_array().unwrap() {
        let actions = text(&one["Action"]);
        let harmful = ["Delete", "Terminate", "Deregister", "Stop"].iter().any(|word| actions.contains(word));
        assert!(!harmful || one["Condition"].is_object(), "{one:#}");
    }
    for unneeded in ["iam:", "kms:", "autoscaling:", "ssm:PutParameter", "sts:AssumeRole", "spot-instances"] {
        let grants = policy["Statement"].as_array().unwrap().iter().filter(|one| one["Sid"] != "TagAtCreation");
        assert!(grants.clone().all(|one| !text(one).contains(unneeded)), "{unneeded}: {policy:#}");
    }
}

#[test]
fn what_the_manifest_asks_for_comes_with_it_and_no_more() {
    let machine = MachineSettings {
        policy: Some("{}".into()),
        spot: true,
        security_groups: vec!["sg-1".into()],
        subnets: vec!["subnet-1".into()],
        disk: plan::Disk { kms_key: Some("alias/images".into()), ..plan::Disk::default() },
        ..MachineSettings::default()
    };
    let settings = |version: &Version| ImageSettings {
        distribution: Distribution {
            wanted: true,
            regions: vec![RegionPlan { region: "eu-west-1".into(), kms_key: Some("1234".into()) }],
            targets: vec![TargetPlan {
                role: OTHER.into(),
                regions: vec![RegionPlan { region: "eu-west-1".into(), kms_key: None }],
            }],
            parameters: vec![format!("/images/web/{}/latest", version.major)],
            deprecate_after: Some(Duration::from_hours(24)),
            ..Distribution::default()
        },
        deployments: vec![deployment(None, Some("web"), Strategy::Refresh(refresh()))],
        ..ImageSettings::default()
    };
    let plans = outline(&machine, settings);
    let scope = PolicyScope::of(Some(HOME), "us-east-1");
    let policy = policy(&plans, &[], &scope);
    assert!(statement(&policy, "MakeGroup").is_null(), "the group is there already");
    assert!(
        text(statement(&policy, "LaunchWith")).contains("subnet/subnet-1")
            && !text(statement(&policy, "LaunchWith")).contains("subnet/*")
    );
    let roles = &statement(&policy, "MachineRole")["Resource"];
    assert_eq!(roles[1], "arn:aws:iam::111111111111:role/ami-bake-*");
    assert_eq!(statement(&policy, "PassRole")["Condition"]["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com");
    assert_eq!(
        statement(&policy, "UseAliasedKey")["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"][0],
        "alias/images"
    );
    assert_eq!(statement(&policy, "UseKey")["Resource"], "arn:aws:kms:eu-west-1:111111111111:key/1234");
    let point = text(&statement(&policy, "Point")["Resource"]);
    assert!(point.contains("arn:aws:ssm:eu-west-1:111111111111:parameter/images/web/*/latest"), "{point}");
    assert_eq!(statement(&policy, "AssumeOthers")["Resource"], OTHER);
    assert_eq!(
        statement(&policy, "MoveTemplate")["Resource"],
        "arn:aws:ec2:us-east-1:111111111111:launch-template/lt-0abc"
    );
    assert!(text(statement(&policy, "MoveGroup")).contains("autoScalingGroupName/web*"));
    assert_eq!(targets(&plans), [OTHER]);
    let other = policy_of_target(&plans, OTHER, &PolicyScope::of(Some(OTHER), "eu-west-1")).unwrap();
    assert!(text(&other).contains("ec2:RegisterImage") && !text(&other).contains("RunInstances"), "{other:#}");
    let copy = text(&statement(&other, "Copy")["Resource"]);
    assert!(copy.contains("arn:aws:ec2:eu-west-1::snapshot/*"), "also where the bake is at home: {copy}");
    assert_eq!(policy_of_target(&plans, HOME, &scope), None);
}

#[test]
fn partitions_and_unknown_accounts() {
    let scope = PolicyScope::of(None, "cn-north-1");
    let machine = MachineSettings { profile: Some("baker".into()), ..MachineSettings::default() };
    let policy = policy(&outline(&machine, |_| ImageSettings::default()), &[], &scope);
    let pass = statement(&policy, "PassRole");
    assert_eq!(pass["Resource"], "arn:aws-cn:iam::*:role/baker");
    assert_eq!(pass["Condition"]["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com.cn");
    assert!(!text(&policy).contains("arn:aws:"));
}

#[test]
fn a_pattern_keeps_what_two_texts_share() {
    assert_eq!(pattern("/web/11/latest", "/web/44/latest"), "/web/*/latest");
    assert_eq!(pattern("same", "same"), "same");
    assert_eq!(pattern("11.22.33", "44.55.66"), "*");
    assert_eq!(pattern("aa", "a"), "a*");
}
