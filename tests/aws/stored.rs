//! Documents in Image Builder, and missing permissions for S3: the messages, and that nothing is left.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fixture::{Fixture, WEB};

const COMPONENT: &str = "arn:aws:imagebuilder:eu-west-1:123456789012:component/inner";

const DOCUMENT: &str = r#"
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Inner
        action: ExecuteDocument
        inputs:
          document: arn:aws:imagebuilder:eu-west-1:123456789012:component/inner/1.x.x
          phases: build
          parameters: [{name: Who, value: world}]
      - {name: Skipped, action: S3Download, onFailure: Ignore, inputs: [{source: s3://assets/none, destination: /opt/none}]}
      - {name: Token, action: ExecuteBash, onFailure: Ignore, inputs: {commands: ["echo {{ aws:ssm:/app/none }}"]}}
      - {name: Put, action: S3Upload, inputs: [{source: /opt/hello, destination: s3://assets/out/}]}
"#;

const INNER: &str = r#"
schemaVersion: 1.0
parameters: [{Who: {type: string}}]
phases:
  - name: build
    steps:
      - {name: Say, action: ExecuteBash, inputs: {commands: ["echo hello {{ Who }} > /opt/hello"]}}
"#;

fn actions(policy: &Value) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().flat_map(|one| list(&one["Action"])).map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn documents_of_image_builder_are_run_and_refusals_name_step_and_statement() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine: {{spot: true}}\n    build: [{{component: web.yml}}]\n    publish: {{parameters: [/images/web], keep: {{last: 2}}}}\n"
    ));
    fixture.write("web.yml", DOCUMENT);
    fixture.cloud.put_object("assets", "tool", b"tool");
    // Before a machine starts: missing documents, and missing permissions.
    fixture
        .bake()
        .exits(4)
        .says("web.yml:6: the step `Inner` (ExecuteDocument): could not read the component")
        .says("no component has this ARN");
    let component = |version: &str, text: &str| {
        fixture
            .cloud
            .put_component(&json!({"arn": format!("{COMPONENT}/{version}"), "platform": "Linux", "data": text}));
    };
    component("1.0.0/1", "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: No, action: SetRegistry}]}]\n");
    fixture.bake().exits(4).says("component/inner/1.0.0/1:2: the step `No` needs Windows");
    component("1.2.0/3", INNER);
    fixture.cloud.deny(&["imagebuilder:GetComponent"]);
    fixture.bake().exits(4).says("bake.yml:").says("\"Action\":\"imagebuilder:GetComponent\"").says("1.x.x");
    assert!(fixture.cloud.instances().is_empty());

    // Everything that the policy grants is checked.
    fixture.cloud.deny(&["s3:PutObject", "s3:ListBucket", "ec2:DescribeSpotPriceHistory", "s3:GetObject"]);
    let policy = actions(&serde_json::from_str(&fixture.run(&["policy"]).exits(0).stdout).unwrap());
    let plan: Value = serde_json::from_str(&fixture.run(&["plan", "--permissions", "--json"]).exits(4).stdout).unwrap();
    let found = plan["permissions"].as_array().unwrap();
    let asked =
        |action: &str| found.iter().find(|one| one["action"].as_str().unwrap().split(' ').next() == Some(action));
    for action in &policy {
        let one = asked(action).unwrap_or_else(|| panic!("{action} is granted and not asked for: {plan:#}"));
        assert_ne!(one["detail"], "ami-bake has no check for it", "{one:#}");
    }
    for action in ["ec2:DescribeSpotPriceHistory", "s3:GetObject"] {
        let one = asked(action).unwrap();
        assert!(
            one["allowed"] == false && one["detail"].as_str().unwrap().contains(&format!("\"Action\":\"{action}\"")),
            "{one:#}"
        );
    }
    let component = asked("imagebuilder:GetComponent").unwrap();
    assert!(
        component["allowed"] == true && component["action"].as_str().unwrap().contains("component/inner/*"),
        "{component:#}"
    );

    // A refusal in the middle of a bake.
    fixture.cloud.deny(&["s3:*"]);
    let baked = fixture.bake().exits(5);
    for part in [
        "component/inner/1.x.x to arn:aws:imagebuilder:eu-west-1:123456789012:component/inner/1.2.0/3",
        "the step `Skipped` (S3Download): could not read s3://assets/none in us-east-1",
        "the step `Token` (ExecuteBash): could not read the parameter /app/none in us-east-1: the parameter does not exist",
        "web.yml:14: the phase `build` failed at the step `Put` (S3Upload): could not upload `/opt/hello` to s3://assets/out/hello",
        "is not allowed s3:PutObject on arn:aws:s3:::assets/out/hello",
        "\"Resource\":\"arn:aws:s3:::assets/out/hello\"",
    ] {
        assert!(baked.stderr.contains(part), "`{part}` is not in\n{}", baked.stderr);
    }
    fixture.holds_only(&[]);
    fixture.cloud.deny(&[]);
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.object("assets", "out/hello"), "hello world\n");
}
