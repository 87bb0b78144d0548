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
    // No change or delete is allowed without a condition.
    for one in policy["Statement"].as_array().unwrap() {
        let actions = text(&one["Action"]);
        let harmful = ["Delete", "Terminate", "Deregister", "Stop"].iter().any(|word| actions.contains(word));
        assert!(!harmful || one["Condition"].is_object(), "{one:#}");
    }
    for unneeded in ["iam:", "kms:", "autoscaling:", "ssm:PutParameter", "sts:AssumeRole", "spot-instances"] {
        // A sweep looks for roles, and for users of images.
        let looks = ["TagAtCreation", "FindMachineRoles", "WhoUses", "WhoUsesByEc2"];
        let all = policy["Statement"].as_array().unwrap().iter();
        let grants = all.filter(|one| looks.iter().all(|sid| one["Sid"] != *sid));
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
    // Whatever a filter finds.
    let filter = plan::SubnetFilter { tags: [("Tier".into(), "private".into())].into(), vpc: None };
    let found = MachineSettings { subnets: Vec::new(), subnet_filter: Some(filter), ..machine.clone() };
    let found = super::policy(&outline(&found, settings), &[], &scope);
    assert!(text(statement(&found, "LaunchWith")).contains("subnet/*"));
    assert!(text(statement(&found, "Look")).contains("ec2:DescribeVpcs"));
    let roles = &statement(&policy, "MachineRole")["Resource"];
    assert_eq!(roles[3], "arn:aws:iam::111111111111:role/ami-bake/*");
    assert_eq!(statement(&policy, "PassRole")["Condition"]["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com");
    let spot = statement(&policy, "SpotRole");
    assert_eq!(spot["Condition"]["StringEquals"]["iam:AWSServiceName"], "spot.amazonaws.com");
    assert_eq!(spot["Resource"], "arn:aws:iam::111111111111:role/aws-service-role/spot.amazonaws.com/*");
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
    let auto_scaling = &statement(&policy, "PassTemplateRole")["Condition"]["StringEquals"]["iam:PassedToService"];
    assert_eq!(*auto_scaling, json!(["ec2.amazonaws.com", "autoscaling.amazonaws.com"]));
    let tags = &statement(&policy, "TagAsAutoScaling")["Condition"]["StringEquals"]["ec2:CreateAction"];
    assert_eq!(tags, "RunInstances", "a template may tag what it launches");
    assert_eq!(policy_of_target(&plans, HOME, &scope), None);
}

#[test]
fn partitions_and_unknown_accounts() {
    let scope = PolicyScope::of(None, "cn-north-1");
    let machine = MachineSettings { profile: Some("baker".into()), ..MachineSettings::default() };
    let policy = policy(&outline(&machine, |_| ImageSettings::default()), &[], &scope);
    let pass = statement(&policy, "PassRole");
    assert_eq!(pass["Resource"], json!(["arn:aws-cn:iam::*:role/*/baker", "arn:aws-cn:iam::*:role/baker"]));
    assert_eq!(pass["Condition"]["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com.cn");
    assert!(!text(&policy).contains("arn:aws:"));
    let plans = outline(&MachineSettings::default(), |_| ImageSettings {
        deployments: vec![deployment(None, Some("web"), Strategy::Replace(refresh()))],
        ..ImageSettings::default()
    });
    let policy = super::policy(&plans, &[], &scope);
    let pass = &statement(&policy, "PassTemplateRole")["Condition"]["StringEquals"]["iam:PassedToService"];
    assert_eq!(*pass, json!(["ec2.amazonaws.com.cn", "autoscaling.amazonaws.com"]));
}

/// Every statement of the widest manifest is restricted to resources with a run's tag, or is in this list with the
/// reason why it can't be narrower.
#[test]
fn what_is_allowed_beyond_the_bakes_own_resources_is_listed() {
    const ARGUED: [(&str, &str); 31] = [
        // What only looks, and knows no resource, or one that is chosen by the manifest and found by its name.
        ("Look", "Describe* knows no resource; a source is anybody's image"),
        ("WhoUses", "Describe* knows no resource; a usage report counts for an image and changes nothing"),
        ("WhoUsesByEc2", "only EC2 itself asks, on behalf of the role"),
        ("LookBeforeDeploy", "Describe* knows no resource"),
        ("LookIntoPublicAccess", "knows no resource"),
        ("LookAtRegions", "Describe* knows no resource"),
        ("SpotPrice", "Describe* knows no resource"),
        ("FindMachineRoles", "List* knows no resource; a sweep looks for what a bake left"),
        ("FindSpotRole", "one role, named, and only read"),
        ("FindGroupRole", "one role, named, and only read"),
        ("ReadProfile", "the manifest's profile, named, and only read"),
        ("ReadParameter", "the manifest's parameter, named, and only read"),
        ("DocumentsGetComponent", "named by a document of the manifest, and only read"),
        ("DocumentsGetObject", "named by a document of the manifest, and only read"),
        ("DocumentsListBucket", "named by a document of the manifest, and only read"),
        ("DocumentsGetParameter", "named by a document of the manifest, and only read"),
        ("DocumentsPutObject", "named by a document of the manifest, which uploads there"),
        // Resources that a launch uses.
        ("LaunchWith", "image, key, subnet and group are used by a launch, and stay as they are"),
        ("MakeGroupIn", "the network that a group is made in stays as it is"),
        (
            "EnterDefaultGroup",
            "the group that a machine's interface enters stays as it is, and its id is unknown before",
        ),
        ("CopyFrom", "CopyImage and CopySnapshot know no tags of their source; it stays as it is"),
        // Restricted by name or path.
        ("MachineRole", "IAM's actions on profiles know no tags: by path, /ami-bake/"),
        ("Point", "the manifest's parameters, by name"),
        ("AssumeOthers", "the manifest's roles, by name"),
        ("MoveTemplate", "the manifest's template, by id, or all where it is named: EC2 knows templates by id only"),
        ("MoveGroup", "the manifest's group, and the one that takes over, by name"),
        ("PassTemplateRole", "the roles that a template and its group's hooks name, to EC2 and Auto Scaling only"),
        ("TagAsAutoScaling", "tags that a template gives to what it launches, at its launch only"),
        ("LaunchAsAutoScaling", "launches of a template only: all that it uses is the template's choice"),
        ("AsAutoScaling", "the alarms of a group's own policies, whose names Auto Scaling makes up"),
        ("UseKey", "the manifest's keys, by id"),
    ];
    let narrow = |one: &Value| {
        let condition = text(&one["Condition"]);
        [
            "aws:RequestTag/ami-bake:run",
            "aws:ResourceTag/ami-bake:run",
            "kms:GrantIsForAWSResource",
            "kms:ResourceAliases",
            "iam:AWSServiceName",
        ]
        .iter()
        .any(|key| condition.contains(key))
            || one["Sid"] == "TagAtCreation"
            || (one["Sid"] == "PassRole" && condition.contains("iam:PassedToService"))
    };
    let (plans, grants) = super::fixture::everything();
    let mut found: Vec<Value> =
        policy(&plans, &grants, &PolicyScope::of(Some(HOME), "us-east-1"))["Statement"].as_array().unwrap().clone();
    let other = policy_of_target(&plans, OTHER, &PolicyScope::of(Some(OTHER), "us-east-1")).unwrap();
    found.extend(other["Statement"].as_array().unwrap().clone());
    found.retain(|one| !narrow(one));
    let wide: std::collections::BTreeSet<&str> = found.iter().map(|one| one["Sid"].as_str().unwrap()).collect();
    let argued: std::collections::BTreeSet<&str> = ARGUED.iter().map(|(sid, _)| *sid).collect();
    assert_eq!(wide, argued);
    for one in &found {
        // Wide statements never allow changing or deleting existing resources.
        let changes = [
            "ec2:Terminate",
            "ec2:Stop",
            "ec2:Reboot",
            "ec2:Deregister",
            "ec2:DeleteSnapshot",
            "ec2:DeleteVolume",
            "ec2:DeleteTags",
            "ec2:ModifyImage",
            "ec2:ModifySnapshot",
            "ec2:ModifyInstance",
        ];
        assert!(changes.iter().all(|word| !text(&one["Action"]).contains(word)), "{one:#}");
    }
}

#[test]
fn a_pattern_keeps_what_two_texts_share() {
    assert_eq!(pattern("/web/11/latest", "/web/44/latest"), "/web/*/latest");
    assert_eq!(pattern("same", "same"), "same");
    assert_eq!(pattern("11.22.33", "44.55.66"), "*");
    assert_eq!(pattern("aa", "a"), "a*");
}
