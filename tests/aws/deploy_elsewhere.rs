//! Deployments to another environment: its region, its account.

use crate::fixture::Fixture;
use crate::fleet::HOME;
use crate::owner::{ec2, ec2_of, element};
use crate::{fleet, publish};

const OTHER: &str = "222222222222";
const ROLE: &str = "arn:aws:iam::222222222222:role/deploy";

#[test]
fn a_version_is_promoted_to_another_region_and_another_account() {
    let environment = format!(
        "environments:\n  production:\n    images:\n      web:\n        publish: {{regions: [eu-west-1], share: {{accounts: [\"{OTHER}\"]}}}}\n        deploy:\n          - {{launch-template: web, region: eu-west-1, set-default: true}}\n          - {{launch-template: web, region: eu-west-1, role: \"{ROLE}\"}}\n"
    );
    let fixture = Fixture::new(&format!("{}{environment}", publish::manifest("{description: web}")));
    let create = "Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId=ami-0123456789abcdef0&LaunchTemplateData.InstanceType=t3.small";
    let ours = element(&ec2(&fixture, "eu-west-1", create), "launchTemplateId");
    let theirs = element(&ec2_of(&fixture, OTHER, "eu-west-1", create), "launchTemplateId");
    fixture.cloud.forgive_leaks();
    fixture.bake().exits(0);
    assert_eq!(
        fleet::rollouts(&fixture),
        [] as [serde_json::Value; 0],
        "another environment's deployments are its own"
    );
    fixture.run(&["promote", "1.0.0", "--environment", "production"]).exits(0);
    let image = publish::images(&fixture, "123456789012/eu-west-1")[0]["id"].as_str().unwrap().to_owned();
    let versions = |id: &str| format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={id}");
    let our_versions = ec2(&fixture, "eu-west-1", &versions(&ours));
    assert!(our_versions.contains(&image), "{our_versions}");
    let default = format!("Action=DescribeLaunchTemplates&LaunchTemplateId.1={ours}");
    assert_eq!(element(&ec2(&fixture, "eu-west-1", &default), "defaultVersionNumber"), "2");
    let their_versions = ec2_of(&fixture, OTHER, "eu-west-1", &versions(&theirs));
    assert!(their_versions.contains(&image), "the account has it as it is shared with it: {their_versions}");
    // A missing permission is reported with the role and the action.
    fixture.cloud.deny(&["sts:AssumeRole"]);
    fixture
        .run(&["deploy", "--image-version", "1.0.0", "--environment", "production"])
        .exits(4)
        .says(ROLE)
        .says("sts:AssumeRole");
    assert!(
        !fixture
            .cloud
            .calls()
            .iter()
            .any(|call| call["region"] == HOME && call["action"] == "CreateLaunchTemplateVersion")
    );
}
