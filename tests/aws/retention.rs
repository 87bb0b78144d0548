//! Older versions: kept, deleted, or protected by their users; and pre-releases, which expire.

use serde_json::Value;

use crate::fixture::Fixture;
use crate::owner::{autoscaling, ec2, ec2_of, element};
use crate::publish::{AWAY, HOME, images, web};

/// ID of a version in a region.
fn id(fixture: &Fixture, place: &str, version: &str) -> String {
    let all = images(fixture, place);
    let found = all.iter().find(|image| image["tags"]["ami-bake:version"] == version);
    found.unwrap_or_else(|| panic!("no {version} in {place}: {all:#?}"))["id"].as_str().unwrap().to_owned()
}

fn versions(fixture: &Fixture, place: &str) -> Vec<String> {
    let mut all: Vec<String> = images(fixture, place)
        .iter()
        .map(|image| image["tags"]["ami-bake:version"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

/// Creates a launch template with an image; returns its ID.
fn template(fixture: &Fixture, image: &str) -> String {
    let query = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName=of-{image}&LaunchTemplateData.ImageId={image}&LaunchTemplateData.InstanceType=t3.small"
    );
    element(&ec2(fixture, "us-east-1", &query), "launchTemplateId")
}

fn delete_template(fixture: &Fixture, id: &str) {
    ec2(fixture, "us-east-1", &format!("Action=DeleteLaunchTemplate&LaunchTemplateId={id}"));
}

#[test]
fn what_is_kept_no_longer_goes_unless_somebody_uses_it() {
    let fixture = web("{regions: [eu-west-1], keep: {last: 1}}");
    fixture.bake().exits(0);
    let (first, away) = (id(&fixture, HOME, "1.0.0"), id(&fixture, AWAY, "1.0.0"));
    let used = template(&fixture, &first);

    // The plan shows the deletions beforehand, region by region.
    let plan = fixture.run(&["bake", "--dry-run", "--image-version", "1.1.0"]).exits(0).stdout;
    let line =
        |id: &str| plan.lines().rfind(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {plan}")).to_owned();
    assert!(line(&first).contains(&format!("keep: used by launch template {used}")), "{plan}");
    assert!(line(&away).contains("delete") && line(&away).contains("eu-west-1"), "{plan}");
    assert_eq!(versions(&fixture, AWAY), ["1.0.0"]);

    fixture
        .run(&["bake", "--image-version", "1.1.0"])
        .exits(0)
        .says(&format!("Kept old version 1.0.0: {first} in us-east-1: used by launch template {used}"))
        .says(&format!("Deleted old version 1.0.0: {away} in eu-west-1"));
    assert_eq!(
        (versions(&fixture, HOME), versions(&fixture, AWAY)),
        (vec!["1.0.0".into(), "1.1.0".into()], vec!["1.1.0".to_owned()])
    );
    let report = fixture.report();
    assert_eq!(report["images"][0]["held"][0]["image"]["id"], first, "{report:#}");
    assert_eq!(report["images"][0]["retired"][0]["id"], away, "{report:#}");

    // Groups have other ways to use images.
    delete_template(&fixture, &used);
    let base = template(&fixture, &id(&fixture, HOME, "1.1.0"));
    autoscaling(
        &fixture,
        "us-east-1",
        &format!("Action=CreateLaunchConfiguration&LaunchConfigurationName=old&ImageId={first}&InstanceType=t3.small"),
    );
    let listed = fixture.run(&["images", "--json"]).exits(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let of = |id: &str| listed["images"].as_array().unwrap().iter().find(|image| image["id"] == id).unwrap().clone();
    assert_eq!(of(&first)["used-by"], serde_json::json!(["launch configuration old"]), "{listed:#}");
    assert_eq!(of(&id(&fixture, HOME, "1.1.0"))["used-by"], serde_json::json!([format!("launch template {base}")]));
    assert_eq!(of(&id(&fixture, AWAY, "1.1.0"))["used-by"], serde_json::json!([]));

    // If users can't be determined the image counts as used, and protection is reported.
    fixture.cloud.deny(&["autoscaling:DescribeLaunchConfigurations"]);
    fixture
        .run(&["bake", "--image-version", "1.2.0"])
        .exits(0)
        .says("could not find out who uses the images in us-east-1")
        .says("autoscaling:DescribeLaunchConfigurations");
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.1.0", "1.2.0"]);
    fixture.cloud.deny(&[]);
    autoscaling(&fixture, "us-east-1", "Action=DeleteLaunchConfiguration&LaunchConfigurationName=old");
    delete_template(&fixture, &base);
    let second = id(&fixture, HOME, "1.1.0");
    ec2(&fixture, "us-east-1", &format!("Action=EnableImageDeregistrationProtection&ImageId={second}"));
    fixture
        .run(&["publish", "--image-version", "1.2.0"])
        .exits(0)
        .says(&format!("{second} in us-east-1: it has deregistration protection"));
    assert_eq!(
        (versions(&fixture, HOME), versions(&fixture, AWAY)),
        (vec!["1.1.0".into(), "1.2.0".into()], vec!["1.2.0".to_owned()])
    );
    ec2(&fixture, "us-east-1", &format!("Action=DisableImageDeregistrationProtection&ImageId={second}"));

    // Images of a pull request cause no deletions, whatever `keep` says.
    fixture.run(&["bake", "--image-version", "2.0.0-pr.7.abcdef0"]).exits(0);
    assert_eq!(versions(&fixture, HOME), ["1.1.0", "1.2.0", "2.0.0-pr.7.abcdef0"]);
}

/// Two environments publish the same images: only the last environment that keeps an image deletes it.
#[test]
fn an_environment_keeps_and_deletes_its_own_versions() {
    let fixture = web("{keep: {last: 1}}");
    let environments = "environments:
  staging: {images: {web: {publish: {keep: {last: 1}}}}}
  production: {images: {web: {publish: {parameters: [/production/web], regions: [eu-west-1], keep: {last: 1}}}}}\n";
    fixture.write("bake.yml", &format!("{}{environments}", fixture.read("bake.yml")));
    let bake = |version: &str| fixture.run(&["bake", "--environment", "staging", "--image-version", version]).exits(0);
    let promote = |version: &str| fixture.run(&["promote", version, "--environment", "production"]).exits(0);
    bake("1.0.0");
    promote("1.0.0").says("tagged with the environment production");
    let first = id(&fixture, HOME, "1.0.0");
    bake("1.1.0")
        .says(&format!("Kept old version 1.0.0: {first} in us-east-1: published by the environment production"));
    bake("1.2.0").says("Deleted old version 1.1.0");
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.2.0"]);
    // A bake without an environment deletes nothing of theirs either.
    fixture.run(&["bake", "--image-version", "1.3.0"]).exits(0);
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.2.0", "1.3.0"]);
    promote("1.2.0").says(&format!("Deleted old version 1.0.0: {first} in us-east-1"));
    assert_eq!(
        (versions(&fixture, HOME), versions(&fixture, AWAY)),
        (vec!["1.2.0".into(), "1.3.0".into()], vec!["1.2.0".to_owned()])
    );
    fixture.holds_only(&["shop/web/1.2.0", "shop/web/1.2.0", "shop/web/1.3.0"]);
}

/// `images rm` deletes nothing without `--yes` and no used image; then it deletes every copy.
#[test]
fn a_version_is_shown_and_deleted_in_every_region() {
    let fixture = web("{regions: [eu-west-1]}");
    fixture.bake().exits(0);
    fixture.run(&["bake", "--image-version", "1.1.0"]).exits(0);
    let (first, away) = (id(&fixture, HOME, "1.0.0"), id(&fixture, AWAY, "1.0.0"));
    let shown = fixture.run(&["images", "show", "web@1.0.0"]).exits(0).stdout;
    for part in ["web 1.0.0\n", &first, &away, "used by       nothing", "ami-bake:version = 1.0.0", "eu-west-1"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    fixture.run(&["images", "show"]).exits(2);
    fixture.run(&["images", "show", "web@^2"]).exits(4).says("image `web@^2` not found in `shop`");

    let used = template(&fixture, &first);
    let remove = |arguments: &[&str]| fixture.run(&[&["images", "rm", "web@1.0.0"], arguments].concat());
    remove(&["--yes"])
        .exits(4)
        .says(&format!("web 1.0.0 ({first}): launch template {used}"))
        .says("Nothing was deleted.");
    delete_template(&fixture, &used);
    remove(&[]).exits(0).says("2 to delete; rerun with --yes");
    fixture.run(&["images", "rm", "web", "--yes"]).exits(4).says("such as `web@1.4.0`, or use --all-versions");
    assert_eq!((versions(&fixture, HOME).len(), versions(&fixture, AWAY).len()), (2, 2));

    // A refusal in one place is named, and keeps the others from nothing.
    ec2(&fixture, "eu-west-1", &format!("Action=EnableImageDeregistrationProtection&ImageId={away}"));
    remove(&["--yes"])
        .exits(9)
        .says(&format!("Deleted web 1.0.0 ({first}) in us-east-1"))
        .says(&format!("could not delete web 1.0.0 ({away}) in eu-west-1"));
    ec2(&fixture, "eu-west-1", &format!("Action=DisableImageDeregistrationProtection&ImageId={away}"));
    let answer: Value = serde_json::from_str(&remove(&["--yes", "--json"]).exits(0).stdout).unwrap();
    assert_eq!((&answer["images"][0]["id"], &answer["images"][0]["state"]), (&away.as_str().into(), &"deleted".into()));
    remove(&["--yes"]).exits(4).says("image `web@1.0.0` not found");
    fixture.holds_only(&["shop/web/1.1.0", "shop/web/1.1.0"]);
}

/// An incomplete publication deletes nothing; the bake that completes it does, although it bakes nothing.
#[test]
fn the_bake_that_finishes_a_publication_deletes_what_is_kept_no_longer() {
    let fixture = web("{deprecate-after: 90d, keep: {last: 1}}");
    fixture.bake().exits(0);
    fixture.cloud.deny(&["ec2:EnableImageDeprecation"]);
    fixture.run(&["bake", "--image-version", "1.1.0"]).exits(7);
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.1.0"]);
    fixture.cloud.deny(&[]);
    let machines = fixture.cloud.instances().len();
    let plan = fixture.run(&["bake", "--dry-run", "--image-version", "1.1.0"]).exits(0).stdout;
    assert!(plan.lines().any(|line| line.contains("1.0.0") && line.contains("delete")), "{plan}");
    fixture.run(&["bake", "--image-version", "1.1.0"]).exits(0).says("Deleted old version 1.0.0");
    assert_eq!((versions(&fixture, HOME), fixture.cloud.instances().len()), (vec!["1.1.0".to_owned()], machines));
}

#[test]
fn a_pre_release_is_swept_after_its_end_when_nobody_uses_it() {
    let fixture = web("{description: web}");
    fixture.bake().exits(0);
    for version in ["1.1.0-pr.7.abcdef0", "1.1.0-pr.8.abcdef0"] {
        fixture.run(&["bake", "--force", "--image-version", version]).exits(0);
    }
    let sweep =
        |more: &[&str]| fixture.run(&[&["sweep", "--region", "us-east-1", "--region", "eu-west-1"], more].concat());
    assert!(sweep(&[]).exits(0).stderr.contains("Nothing to delete"), "seven days are not over");

    let over = "Tag.1.Key=ami-bake%3Aexpires&Tag.1.Value=2026-01-01T00%3A00%3A00Z";
    let (seven, eight) = (id(&fixture, HOME, "1.1.0-pr.7.abcdef0"), id(&fixture, HOME, "1.1.0-pr.8.abcdef0"));
    let last = id(&fixture, HOME, "1.0.0");
    for image in [&seven, &eight, &last] {
        ec2(&fixture, "us-east-1", &format!("Action=CreateTags&ResourceId.1={image}&{over}"));
    }
    let used = template(&fixture, &eight);
    let swept = sweep(&["--yes"]).exits(0);
    assert!(swept.stdout.contains(&seven) && !swept.stdout.contains(&last), "{}", swept.stdout);
    assert!(
        swept.stderr.contains(&format!(
            "{eight} of web 1.1.0-pr.8.abcdef0 of shop has expired but is kept: used by launch template {used}"
        )),
        "{}",
        swept.stderr
    );
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.1.0-pr.8.abcdef0"]);
    delete_template(&fixture, &used);
    sweep(&["--yes"]).exits(0);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn a_shared_image_goes_when_the_other_accounts_have_nothing_of_it() {
    const OTHER: &str = "222222222222";
    let fixture = web(&format!("{{share: {{accounts: [\"{OTHER}\"]}}, keep: {{last: 1}}}}"));
    let publish = |version: &str| fixture.run(&["publish", "--image-version", version]).exits(0);
    fixture.bake().exits(0);
    let first = id(&fixture, HOME, "1.0.0");
    let query = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName=theirs&LaunchTemplateData.ImageId={first}&LaunchTemplateData.InstanceType=t3.small"
    );
    ec2_of(&fixture, OTHER, "us-east-1", &query);

    // Showing the plan requests no usage reports; unknown users count as used.
    let plan = fixture.run(&["bake", "--dry-run", "--image-version", "1.1.0"]).exits(0).stdout;
    assert!(plan.contains("EC2 has not searched the accounts"), "{plan}");
    assert_eq!(fixture.cloud.count("CreateImageUsageReport"), 0);
    fixture.run(&["bake", "--image-version", "1.1.0"]).exits(0).says("EC2 started to search the accounts");
    publish("1.1.0").says("EC2 is still searching the accounts");
    publish("1.1.0").says(&format!("{first} in us-east-1: used by account {OTHER} (1 launch template)"));

    let second = id(&fixture, HOME, "1.1.0");
    fixture.run(&["bake", "--image-version", "1.2.0"]).exits(0);
    publish("1.2.0");
    publish("1.2.0").says(&format!("Deleted old version 1.1.0: {second} in us-east-1"));
    assert_eq!(versions(&fixture, HOME), ["1.0.0", "1.2.0"]);
    assert_eq!(fixture.cloud.count("CreateImageUsageReport"), 2, "one for each image");
}
