//! Publishing to other accounts, each with its own copy.

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::owner::{ec2, ec2_of, parameter, parameter_of};
use crate::publish::{HOME, calls, images, manifest, web};

const OTHER: &str = "222222222222";
const ROLE: &str = "arn:aws:iam::222222222222:role/bake";

/// The report's entry for a region of the other account.
fn delivery(fixture: &Fixture, region: &str) -> Value {
    let report = fixture.report();
    let all = report["images"][0]["published"].as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|one| one["region"] == region && one["account"] == OTHER);
    found.unwrap_or_else(|| panic!("{region} of {OTHER} is not in {report:#}"))
}

fn of_other(fixture: &Fixture, action: &str) -> Vec<Value> {
    fixture.cloud.calls_of(action).into_iter().filter(|call| call["account"] == OTHER).collect()
}

#[test]
fn another_account_gets_images_of_its_own_and_what_is_missing_is_finished() {
    let fixture = web(&format!(
        "{{targets: [{{role: {ROLE}, regions: [us-east-1, eu-west-1]}}], share: {{accounts: [\"333333333333\", \"{OTHER}\"]}}, \
          parameters: [/images/web], deprecate-after: 90d, protect: true}}"
    ));
    let error = json!({"code": "InvalidRequest", "message": "the region is on fire", "http": 400});
    fixture.cloud.fault(
        &json!({"kind": "error", "action": "RegisterImage", "region": "eu-west-1", "times": null, "match": {"account": OTHER}, "error": error}),
    );
    fixture
        .bake()
        .exits(7)
        .says("publish web 1.0.0 in eu-west-1 of 222222222222")
        .says("It is published in us-east-1, us-east-1 of 222222222222");
    assert_eq!(delivery(&fixture, "us-east-1")["failure"], Value::Null);
    assert_eq!(delivery(&fixture, "eu-west-1")["failure"]["kind"], "publish");
    fixture.holds_only(&["shop/web/1.0.0"; 2]);

    // The other account copied it while the test machine booted, from a snapshot that is shared with that account only.
    let copy = &of_other(&fixture, "CopySnapshot")[0];
    let shared = fixture.cloud.calls_of("ModifySnapshotAttribute");
    assert!(shared.iter().all(|call| call["parameters"]["UserIds"] == json!([OTHER])), "{shared:#?}");
    assert!(copy["time"].as_f64() < fixture.cloud.calls_of("TerminateInstances")[1]["time"].as_f64(), "{copy:#}");
    let assumed = fixture.cloud.calls_of("AssumeRole");
    assert_eq!(assumed.len(), 1, "{assumed:#?}");
    assert_eq!(assumed[0]["parameters"]["DurationSeconds"], 3600);

    fixture.cloud.forgive();
    fixture.cloud.forget_calls();
    fixture
        .run(&["publish", "--report", "bake-report.json"])
        .exits(0)
        .says(" to eu-west-1 of 222222222222")
        .says("ublished ami-");
    let made: Vec<Value> = of_other(&fixture, "RegisterImage");
    assert_eq!((made.len(), &made[0]["region"]), (1, &json!("eu-west-1")), "nothing is repeated: {made:#?}");
    assert!(fixture.cloud.calls_of("RunInstances").is_empty());
    fixture.holds_only(&["shop/web/1.0.0"; 3]);
    for region in ["us-east-1", "eu-west-1"] {
        let image = &images(&fixture, &format!("{OTHER}/{region}"))[0];
        assert_eq!(image["tags"]["ami-bake:version"], "1.0.0", "tags of its own: {image:#}");
        assert!(image["tags"]["ami-bake:tested"].is_string(), "{image:#}");
        let id = image["id"].as_str().unwrap();
        assert_eq!(parameter_of(&fixture, OTHER, region, "/images/web")["Value"], id);
        let query = format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission");
        let launch = ec2_of(&fixture, OTHER, region, &query);
        assert!(launch.contains("333333333333") && !launch.contains(OTHER), "{launch}");
        let shown = ec2_of(&fixture, OTHER, region, &format!("Action=DescribeImages&ImageId.1={id}"));
        assert!(shown.contains("<deprecationTime>20") && shown.contains("enabled-without-cooldown"), "{shown}");
    }
    assert_eq!(parameter(&fixture, "us-east-1", "/images/web")["Value"], images(&fixture, HOME)[0]["id"]);
    let listed = fixture.run(&["images"]).exits(0).stdout;
    assert_eq!(listed.matches("of 222222222222").count(), 2, "{listed}");
    assert!(listed.contains("parameter /images/web"), "{listed}");
}

#[test]
fn a_failing_test_takes_another_accounts_copies_away_and_ec2_copies_what_it_must() {
    let publish = format!("{{targets: [{{role: {ROLE}, regions: [eu-west-1]}}]}}");
    let fixture = Fixture::new(&manifest(&publish).replace("test -e /opt/hello", "test -e /opt/none"));
    fixture.bake().exits(6);
    assert_eq!(of_other(&fixture, "CopySnapshot").len(), 1);
    fixture.holds_only(&[]);

    fixture.write("bake.yml", &manifest(&publish.replace("{targets", "{copy: image, targets")));
    fixture.bake().exits(0);
    assert_eq!(of_other(&fixture, "CopyImage").len(), 1);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);

    // Old versions are deleted there, too, with the same role.
    fixture.write("bake.yml", &manifest(&publish.replace("{targets", "{copy: image, keep: {last: 1}, targets")));
    fixture
        .run(&["bake", "--image-version", "1.1.0"])
        .exits(0)
        .says("Deleted old version 1.0.0: ")
        .says(" in eu-west-1 of 222222222222\n")
        // It was shared for the copy alone, so that nobody else has it at home.
        .says(" in us-east-1\n");
    fixture.holds_only(&["shop/web/1.1.0"; 2]);
    lent_nothing(&fixture);
}

/// Asserts that the image at home is shared with nobody, nor are its snapshots.
fn lent_nothing(fixture: &Fixture) {
    let id = images(fixture, HOME)[0]["id"].as_str().unwrap().to_owned();
    let launch =
        ec2(fixture, "us-east-1", &format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission"));
    assert!(!launch.contains(OTHER), "{launch}");
    let snapshot = fixture.cloud.leaks()[HOME]["snapshots"][0]["id"].as_str().unwrap().to_owned();
    let query = format!("Action=DescribeSnapshotAttribute&SnapshotId={snapshot}&Attribute=createVolumePermission");
    let volume = ec2(fixture, "us-east-1", &query);
    assert!(!volume.contains(OTHER), "{volume}");
}

#[test]
fn a_fallback_leaves_no_share_behind() {
    let fixture = web(&format!("{{targets: [{{role: {ROLE}, regions: [eu-west-1]}}]}}"));
    fixture.cloud.fault(&json!({"kind": "snapshot-error", "action": "CopySnapshot"}));
    fixture.bake().exits(0).says("using CopyImage instead");
    assert_eq!(of_other(&fixture, "CopyImage").len(), 1);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
    lent_nothing(&fixture);
}

#[test]
fn a_refusal_of_another_account_is_reported_before_a_launch() {
    let fixture = web(&format!(
        "{{targets: [{{role: {ROLE}, regions: [eu-west-1]}}], parameters: [/images/web], keep: {{last: 3}}}}"
    ));
    fixture.cloud.deny(&["sts:AssumeRole"]);
    fixture.run(&["images"]).exits(0).says("could not list the images in eu-west-1 of 222222222222");
    fixture.bake().exits(4).says(ROLE).says("sts:AssumeRole").says("bake.yml:");
    fixture.cloud.deny(&[]);
    ec2(&fixture, "us-east-1", "Action=EnableEbsEncryptionByDefault");
    fixture.bake().exits(4).says("copy web: in us-east-1 it is encrypted with the AWS managed key");
    ec2(&fixture, "us-east-1", "Action=DisableEbsEncryptionByDefault");
    assert!(fixture.cloud.instances().is_empty());

    // The permissions for publishing are part of the plan's permissions, by action and account.
    fixture.cloud.deny(&["ec2:CopySnapshot", "ec2:ModifySnapshotAttribute", "autoscaling:DescribeAutoScalingGroups"]);
    let plan = fixture.run(&["plan", "--permissions", "--json"]).exits(4);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let all = plan["permissions"].as_array().unwrap();
    let of = |action: &str| {
        all.iter().find(|one| one["action"] == action).unwrap_or_else(|| panic!("no {action}: {plan:#}"))
    };
    for denied in
        ["ec2:CopySnapshot in 222222222222", "ec2:ModifySnapshotAttribute", "autoscaling:DescribeAutoScalingGroups"]
    {
        assert_eq!(of(denied)["allowed"], false, "{denied}");
        let action = denied.split(' ').next().unwrap();
        assert!(of(denied)["detail"].as_str().unwrap().contains(&format!("\"Action\":\"{action}\"")), "{denied}");
    }
    for allowed in
        ["ec2:DescribeImages in 222222222222", "ssm:GetParameter", "ec2:DescribeImageUsageReports in 222222222222"]
    {
        assert_eq!(of(allowed)["allowed"], true, "{allowed}");
    }
    assert_eq!(of("ssm:PutParameter")["allowed"], Value::Null);
    assert!(calls(&fixture, "eu-west-1", "PutParameter").is_empty());
}
