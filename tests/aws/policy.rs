//! The policy that `ami-bake policy` prints covers every call of the manifest's bake, and no more; the fixture checks
//! this in every test of this folder.

use serde_json::{Value, json};

use crate::fixture::{Fixture, WEB};
use crate::publish::web;

const HELLO: &str = "    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n";

#[test]
fn a_bake_makes_no_call_that_its_policy_does_not_allow() {
    let fixture = web("{regions: [eu-west-1], parameters: [/images/web/latest], deprecate-after: 90d, protect: true, \
         share: {accounts: [\"333333333333\"]}, keep: {last: 2}}");
    let policy = fixture.run(&["policy"]).exits(0).stdout;
    assert!(fixture.cloud.calls().is_empty(), "it is made without a cloud");
    fixture.bake().exits(0);
    for one in ["iam:PassRole", "ec2:ModifyLaunchTemplate", "ec2:StartInstances", "kms:CreateGrant"] {
        assert!(!policy.contains(one), "{one} is not needed");
    }
    // Checked beforehand, the same policy lacks nothing.
    let plan = fixture.run(&["plan", "--permissions", "--json", "--image-version", "2.0.0"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let missing = plan["permissions"].as_array().unwrap().iter().filter(|one| one["allowed"] == false);
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Value>::new());
}

#[test]
fn a_role_for_the_machine_is_made_and_passed_below_a_path() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine:\n      policy: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, Action: \"s3:GetObject\", Resource: \"*\"}}]}}\n{HELLO}"
    ));
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.calls_of("CreateRole")[0]["parameters"]["Path"], "/ami-bake/");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// Spot that falls back to on-demand is stopped, and so is a source with a billing code despite `capture: live`.
#[test]
fn a_machine_may_be_stopped_where_only_ec2_knows_that_it_is() {
    let fixture = Fixture::new(&format!("{WEB}    machine: {{type: t3.small, spot: true}}\n{HELLO}"));
    let none = json!({"code": "InsufficientInstanceCapacity", "message": "There is no Spot capacity", "http": 500});
    fixture.cloud.fault(
        &json!({"kind": "error", "action": "RunInstances", "match": {"market": "spot"}, "times": null, "error": none}),
    );
    fixture.bake().exits(0);
    assert!(fixture.cloud.count("StopInstances") > 0, "{:?}", fixture.cloud.actions());

    let manifest = format!("{WEB}    capture: live\n{HELLO}")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*");
    fixture.write("bake.yml", &manifest);
    fixture.bake().exits(0);
    assert!(fixture.cloud.count("CreateImage") > 0, "{:?}", fixture.cloud.actions());
}

/// An organization that denies creating resources without its tags.
#[test]
fn everything_is_tagged_as_an_organization_requires_from_its_creation_on() {
    let manifest = format!(
        "version: 1.0.0\n{WEB}    machine:\n      tags: {{Name: builder, tier: build, owner: machines}}\n      policy: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, Action: \"s3:GetObject\", Resource: \"*\"}}]}}\n{HELLO}    publish: {{regions: [eu-west-1], tags: {{tier: web}}, parameters: [/images/web]}}\n"
    );
    let fixture = Fixture::new(&manifest);
    let made = ["instance", "volume", "network-interface", "key-pair", "security-group"]
        .map(|kind| format!("arn:aws:ec2:*:*:{kind}/*"));
    let copied = ["image", "snapshot"].map(|kind| format!("arn:aws:ec2:*::{kind}/*"));
    let untagged = json!({"Null": {"aws:RequestTag/owner": "true"}});
    let deny = |action: &Value, resource: &Value| json!({"Effect": "Deny", "Action": action, "Resource": resource, "Condition": untagged});
    fixture.policies.add(&deny(&json!("ec2:RunInstances"), &json!(made[..3])));
    fixture.policies.add(&deny(&json!(["ec2:ImportKeyPair", "ec2:CreateSecurityGroup"]), &json!(made[3..])));
    fixture.policies.add(&deny(&json!(["ec2:CreateSnapshots"]), &json!(copied)));
    fixture.policies.add(&deny(&json!(["ec2:RegisterImage", "ec2:CreateImage"]), &json!(["arn:aws:ec2:*::image/*"])));
    fixture.policies.add(&deny(&json!(["ec2:CopySnapshot"]), &json!(["arn:aws:ec2:eu-west-1::snapshot/*"])));
    fixture.policies.add(&deny(&json!(["ssm:PutParameter"]), &json!("*")));
    fixture.policies.add(&deny(&json!(["iam:CreateRole", "iam:CreateInstanceProfile"]), &json!("*")));
    fixture.expects_denials();
    fixture.bake().exits(4);
    assert_ne!(fixture.cloud.denied(), Vec::<Value>::new());
    fixture.holds_only(&[]);

    fixture.cloud.forget_calls();
    fixture.write(
        "bake.yml",
        &manifest.replace("region: us-east-1", "region: us-east-1, tags: {owner: platform, tier: all}"),
    );
    let before = fixture.cloud.denied().len();
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.denied().len(), before, "{:#?}", fixture.cloud.denied());
    // Tags in `publish` override the machine's, and both override the account's.
    let leaks = fixture.cloud.leaks();
    for place in ["123456789012/us-east-1", "123456789012/eu-west-1"] {
        let tags = &leaks[place]["images"][0]["tags"];
        assert_eq!((&tags["owner"], &tags["tier"]), (&json!("platform"), &json!("web")), "{place}: {tags:#}");
        let tags = &leaks[place]["snapshots"][0]["tags"];
        assert_eq!(tags["owner"], "platform", "{place}: {tags:#}");
    }
    let launch = &fixture.cloud.calls_of("RunInstances")[0]["parameters"]["TagSpecifications"];
    for specification in launch.as_array().unwrap() {
        let tag = |key: &str| {
            let tags = specification["Tags"].as_array().unwrap();
            tags.iter().find(|tag| tag["Key"] == key).map(|tag| tag["Value"].clone()).unwrap_or_default()
        };
        assert_eq!(
            (tag("Name"), tag("tier"), tag("owner")),
            (json!("builder"), json!("build"), json!("machines")),
            "{launch:#}"
        );
    }
}

/// The first spot request of an account creates EC2's own role, which only a policy with the role's name allows.
#[test]
fn the_first_spot_request_of_an_account_makes_a_role() {
    let fixture = Fixture::new(&format!("{WEB}    machine: {{type: t3.small, spot: true}}\n{HELLO}"));
    fixture.run(&["plan", "--permissions"]).exits(0);
    let plan: Value = serde_json::from_str(&fixture.run(&["plan", "--permissions", "--json"]).exits(0).stdout).unwrap();
    let permissions = plan["permissions"].as_array().unwrap();
    let role = permissions.iter().find(|one| one["action"] == "iam:CreateServiceLinkedRole").unwrap();
    assert_eq!(role["allowed"], Value::Null, "{role:#}");
    assert!(role["detail"].as_str().unwrap().contains("AWSServiceRoleForEC2Spot"), "{role:#}");
    fixture.policies.add(&json!({"Effect": "Deny", "Action": "iam:CreateServiceLinkedRole", "Resource": "*"}));
    fixture.expects_denials();
    fixture
        .bake()
        .exits(4)
        .says("AuthFailure.ServiceLinkedRoleCreationNotPermitted")
        .says("aws iam create-service-linked-role --aws-service-name spot.amazonaws.com");
}
