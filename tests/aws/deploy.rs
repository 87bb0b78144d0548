//! Deployments of a tested image: template version, refresh, and refusals before anything is changed.

use serde_json::{Value, json};

use crate::fixture::{Fixture, finish};
use crate::fleet::{
    HOME, described, first_image, group, group_with, manifest, rollout_events, rollouts, template, template_versions,
    until_run_with, versions,
};
use crate::owner::{autoscaling, ec2, element};

fn made(fixture: &Fixture) -> String {
    fixture.report()["images"][0]["image"]["id"].as_str().unwrap().to_owned()
}

fn moves(fixture: &Fixture) -> Vec<String> {
    let moves =
        ["CreateLaunchTemplateVersion", "StartInstanceRefresh", "ModifyLaunchTemplate", "UpdateAutoScalingGroup"];
    fixture.cloud.actions().into_iter().filter(|action| moves.contains(&action.as_str())).collect()
}

#[test]
fn a_group_moves_to_the_new_version_once() {
    let fixture = Fixture::new(&manifest(
        "[{launch-template: web, auto-scaling-group: web, set-default: true, refresh: {min-healthy: 60, warmup: 30s}}]",
    ));
    let disk = "&LaunchTemplateData.UserData=aGVsbG8=&LaunchTemplateData.BlockDeviceMapping.1.DeviceName=/dev/sdf&LaunchTemplateData.BlockDeviceMapping.1.Ebs.SnapshotId=snap-0123456789abcdef0&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=9";
    let web = template(&fixture, "web", disk);
    group(&fixture, "web", &web, "1", "");
    // The answers of both calls are lost: neither is repeated.
    for action in ["CreateLaunchTemplateVersion", "StartInstanceRefresh"] {
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": action}));
    }
    fixture.bake().exits(0).says("% on version 2").says("5 of 5 machines of web run version 2");
    assert_eq!(versions(&fixture, "web"), ("2".to_owned(), vec!["2".to_owned(); 5]));
    let (all, default, answer) = template_versions(&fixture, &web);
    assert_eq!((all.len(), default.as_str()), (2, "2"));
    let two = answer.split("<item>").find(|part| part.contains("<versionNumber>2<")).unwrap_or(&answer);
    assert!(two.contains("web 1.0.0 of shop") && two.contains("by ami-bake run"), "{answer}");
    for part in [made(&fixture).as_str(), "aGVsbG8="] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    assert_eq!(
        answer.matches("snap-0123456789abcdef0").count(),
        2,
        "EC2 drops snapshots that are not said again: {answer}"
    );
    let refresh = &fixture.cloud.calls_of("StartInstanceRefresh")[0]["parameters"];
    assert_eq!(refresh["DesiredConfiguration"]["LaunchTemplate"]["Version"], "2", "{refresh:#}");
    let preferences = &refresh["Preferences"];
    for (name, value) in
        [("MinHealthyPercentage", json!(60)), ("InstanceWarmup", json!(30)), ("AutoRollback", json!(true))]
    {
        assert_eq!(preferences[name], value, "{preferences:#}");
    }
    let rollout = &rollouts(&fixture)[0];
    assert_eq!(
        (&rollout["outcome"], &rollout["from"], &rollout["version"]),
        (&json!("deployed"), &json!(1), &json!(2))
    );
    fixture.holds_only(&["shop/web/1.0.0"]);

    // Everything is done: a second run only reads.
    fixture.cloud.forget_calls();
    fixture.bake().exits(0).says("Already deployed to web in us-east-1");
    fixture.run(&["deploy", "--image-version", "1.0.0"]).exits(0);
    assert_eq!(moves(&fixture), [""; 0]);
    assert_eq!(rollouts(&fixture)[0]["outcome"], "unchanged");
    // Images of a pull request are not deployed.
    fixture.run(&["bake", "--image-version", "1.1.0-pr.7.abc"]).exits(0).says("Skipped deployment to web in us-east-1");
    assert_eq!(moves(&fixture), [""; 0]);
    assert_eq!(rollouts(&fixture)[0]["outcome"], "skipped");
}

/// The answer of the first call is lost, and the refresh has ended before anybody looks for it.
#[test]
fn a_lost_refresh_is_found_after_its_end() {
    let fixture =
        Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 0}}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.latency(&json!({"asg_instance_refresh_per_batch": 0}));
    fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "StartInstanceRefresh", "times": 1}));
    fixture.bake().exits(0).says("5 of 5 machines of web run version 2");
    assert_eq!(moves(&fixture).iter().filter(|action| *action == "StartInstanceRefresh").count(), 1);
}

/// An image that an old version names is in use. Versions that nothing requests are deleted, but not those of others.
#[test]
fn old_template_versions_are_deleted_unless_used() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, set-default: true, keep-versions: 2}]"));
    let web = template(&fixture, "web", "");
    for who in [", by ami-bake run a", ", by ami-bake run b", ", by hand", ", by ami-bake run c", ", by ami-bake run d"]
    {
        let query = "Action=CreateLaunchTemplateVersion&SourceVersion=1&LaunchTemplateData.InstanceType=t3.large";
        ec2(&fixture, HOME, &format!("{query}&LaunchTemplateId={web}&VersionDescription=web{who}"));
    }
    group(&fixture, "side", &web, "3", "");
    // A version that can't be deleted does not fail the deployment.
    fixture.cloud.deny(&["ec2:DeleteLaunchTemplateVersions"]);
    fixture.bake().exits(0).says("old versions of web were not deleted").says("ec2:DeleteLaunchTemplateVersions");
    assert_eq!(template_versions(&fixture, &web).0.len(), 7);
    fixture.cloud.deny(&[]);
    fixture.run(&["deploy", "--report", "bake-report.json"]).exits(0);
    let (mut left, default, _) = template_versions(&fixture, &web);
    left.sort();
    assert_eq!((left.as_slice(), default.as_str()), (["1", "3", "4", "6", "7"].map(String::from).as_slice(), "7"));
    let rollout = &rollouts(&fixture)[0];
    assert!(rollout["done"].to_string().contains("version 2, 5 of web deleted, 2 kept"), "{rollout:#}");
}

#[test]
fn a_mixed_group_keeps_its_policy_and_somebody_elses_default_is_kept() {
    let fixture = Fixture::new(&manifest(
        "[{launch-template: web, auto-scaling-group: web, set-default: true, refresh: {min-healthy: 0}}]",
    ));
    let web = template(&fixture, "web", "");
    let arm = template(&fixture, "arm", "");
    let policy = "&MixedInstancesPolicy.LaunchTemplate";
    group_with(
        &fixture,
        "web",
        &format!(
            "{policy}.LaunchTemplateSpecification.LaunchTemplateId={web}{policy}.LaunchTemplateSpecification.Version=1{policy}.Overrides.member.1.InstanceType=t3.small{policy}.Overrides.member.2.InstanceType=t4g.small{policy}.Overrides.member.2.LaunchTemplateSpecification.LaunchTemplateId={arm}{policy}.Overrides.member.2.LaunchTemplateSpecification.Version=1&MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity=1"
        ),
    );
    let refresh = fixture.cloud.hold_refresh(0);
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.cloud.until_answered("StartInstanceRefresh", 1);
    // Meanwhile somebody creates a version and makes it the default.
    ec2(
        &fixture,
        HOME,
        &format!(
            "Action=CreateLaunchTemplateVersion&LaunchTemplateId={web}&SourceVersion=1&LaunchTemplateData.InstanceType=t3.large"
        ),
    );
    ec2(&fixture, HOME, &format!("Action=ModifyLaunchTemplate&LaunchTemplateId={web}&SetDefaultVersion=3"));
    let desired = fixture.cloud.calls_of("StartInstanceRefresh")[0]["parameters"]["DesiredConfiguration"].clone();
    let template = &desired["MixedInstancesPolicy"]["LaunchTemplate"];
    assert_eq!(template["LaunchTemplateSpecification"]["Version"], "2", "{desired:#}");
    assert_eq!(template["Overrides"][1]["LaunchTemplateSpecification"]["Version"], "1", "{desired:#}");
    assert_eq!(desired["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandBaseCapacity"], 1, "{desired:#}");
    refresh.release();
    finish(child).exits(8).says("was changed from version 1 to 3 by somebody else in the meantime").says("--force");
    assert_eq!(versions(&fixture, "web").1, ["2"; 5], "the group is at work all the same");
    assert_eq!(template_versions(&fixture, &web).1, "3");
    let rollout = &rollouts(&fixture)[0];
    assert_eq!(rollout["outcome"], "failed");
    assert!(rollout["done"].to_string().contains("5 of 5 machines of web run version 2"), "{rollout:#}");
    // An interrupted run is repeated, and now begins with the changed default.
    fixture.run(&["deploy", "--report", "bake-report.json", "--force"]).exits(0);
    assert_eq!(template_versions(&fixture, &web).1, "2");
}

#[test]
fn an_impossible_deployment_is_refused_before_a_launch() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: old}]"));
    let image = first_image(&fixture);
    let web = template(&fixture, "web", "");
    autoscaling(
        &fixture,
        HOME,
        &format!(
            "Action=CreateLaunchConfiguration&LaunchConfigurationName=web-2016&ImageId={image}&InstanceType=t3.small"
        ),
    );
    group_with(&fixture, "old", "&LaunchConfigurationName=web-2016");
    fixture
        .bake()
        .exits(4)
        .says("uses the launch configuration web-2016")
        .says("Copy to launch template")
        .says("bake.yml:");
    let other = template(&fixture, "other", "");
    group(&fixture, "other", &other, "1", "");
    let refused = [
        ("[{launch-template: none}]", "launch template none not found in us-east-1"),
        ("[{launch-template: web, auto-scaling-group: none}]", "Auto Scaling group none not found"),
        ("[{launch-template: web, auto-scaling-group: other}]", "uses the launch template other"),
        ("[{launch-template: web, source-version: \"7\"}]", "has no version 7"),
        ("[{launch-template: web, region: eu-west-1}]", "it is not published there"),
    ];
    for (deploy, why) in refused {
        fixture.write("bake.yml", &manifest(deploy));
        fixture.run(&["plan"]).exits(4).says(why);
    }
    let parameter = "Action=CreateLaunchTemplateVersion&LaunchTemplateData.ImageId=resolve:ssm:/images/web&LaunchTemplateData.InstanceType=t3.small";
    ec2(&fixture, HOME, &format!("{parameter}&LaunchTemplateId={web}"));
    ec2(
        &fixture,
        HOME,
        &format!(
            "Action=CreateLaunchTemplateVersion&LaunchTemplateId={web}&SourceVersion=1&LaunchTemplateData.BlockDeviceMapping.1.DeviceName=/dev/xvda&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=20"
        ),
    );
    group(&fixture, "web", &web, "1", "");
    autoscaling(&fixture, HOME, "Action=SuspendProcesses&AutoScalingGroupName=web&ScalingProcesses.member.1=Launch");
    fixture.write("bake.yml", &manifest("[{launch-template: web, auto-scaling-group: web}]"));
    fixture.run(&["plan"]).exits(4).says("its processes Launch are suspended").says("resume-processes");
    autoscaling(&fixture, HOME, "Action=ResumeProcesses&AutoScalingGroupName=web");
    // A wrong root device is only noticed if the old image is gone; here it is one more disk.
    fixture.write("bake.yml", &manifest("[{launch-template: web, source-version: \"2\"}]"));
    fixture
        .bake()
        .exits(4)
        .says("takes its image from the parameter /images/web")
        .says("publish: {parameters: [/images/web]}");
    let key = manifest("[{launch-template: web, auto-scaling-group: web}]")
        .replace("    build:", "    machine: {disk: {encrypted: true, kms-key: alias/bake}}\n    build:");
    fixture.write("bake.yml", &key);
    let planned =
        fixture.run(&["plan"]).exits(0).says("the policy of the key alias/bake").says("AWSServiceRoleForAutoScaling");
    assert!(planned.stdout.contains("web would be deployed to web in us-east-1."), "{}", planned.stdout);
    assert!(fixture.cloud.instances().is_empty(), "no machine was started");
}

#[test]
fn a_missing_permission_names_action_and_resource_and_leaves_nothing() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.deny(&["autoscaling:StartInstanceRefresh"]);
    fixture
        .bake()
        .exits(8)
        .says("autoscaling:StartInstanceRefresh on arn:aws:autoscaling:us-east-1")
        .says("autoScalingGroupName/web")
        .says("\"Action\":\"autoscaling:StartInstanceRefresh\"");
    assert_eq!(template_versions(&fixture, &web).0, ["1"], "the version that nothing runs is gone");
    assert_eq!(rollouts(&fixture)[0]["outcome"], "rolled-back");
    assert!(fixture.report()["images"][0]["image"]["id"].is_string(), "the image is there all the same");
    fixture.cloud.deny(&["ec2:CreateLaunchTemplateVersion"]);
    let again = fixture.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = rollout_events(&again.stdout).remove(0);
    assert!(rollout["failure"]["causes"].to_string().contains(&format!("launch-template/{web}")), "{rollout:#}");
    fixture.cloud.deny(&[]);
    // The last checkpoint is the whole group, and a pause is one, too.
    let paced = "[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 0, max-healthy: 100, checkpoints: [20], pause: 1s}}]";
    fixture.write("bake.yml", &manifest(paced));
    fixture
        .run(&["deploy", "--report", "bake-report.json"])
        .exits(0)
        .says("Deployed to web in us-east-1, template version");
    let preferences: &Value =
        &fixture.cloud.calls_of("StartInstanceRefresh").pop().unwrap()["parameters"]["Preferences"];
    assert_eq!(preferences["CheckpointPercentages"], json!([20, 100]), "{preferences:#}");
    assert_eq!(element(&described(&fixture, "web"), "DesiredCapacity"), "5");
}

#[test]
fn a_killed_deployment_is_resumed() {
    let fixture =
        Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&fixture, "web", "");
    group_with(&fixture, "web", &format!("&LaunchTemplate.LaunchTemplateId={web}&LaunchTemplate.Version=$Default"));
    let refresh = fixture.cloud.hold_refresh(40);
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    until_run_with(&fixture, "web", "2", 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = fixture.cloud.count("DescribeInstanceRefreshes");
    let second = fixture.command(&["deploy", "--image-version", "1.0.0"]).spawn().unwrap();
    // The bake has seen the refresh in progress before it continues.
    fixture.cloud.until_answered("DescribeInstanceRefreshes", seen + 1);
    refresh.release();
    finish(second).exits(0).says("Resuming the instance refresh").says(", template version 2");
    assert_eq!(
        (fixture.cloud.count("StartInstanceRefresh"), fixture.cloud.count("CreateLaunchTemplateVersion")),
        (1, 1)
    );
    assert_eq!(versions(&fixture, "web"), ("$Default".to_owned(), vec!["2".to_owned(); 5]));
    assert_eq!(template_versions(&fixture, &web).1, "2");
    // The dead run's ledger entry is checked and left alone: the refresh has finished.
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(versions(&fixture, "web").1, ["2"; 5]);
    assert_eq!(template_versions(&fixture, &web).0.len(), 2);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn a_plan_lists_missing_deployment_permissions() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.deny(&["ec2:ModifyLaunchTemplate"]);
    let shown = fixture.run(&["plan", "--permissions"]).exits(4);
    for line in ["ec2:ModifyLaunchTemplate", "ec2:CreateLaunchTemplateVersion", "autoscaling:StartInstanceRefresh"] {
        assert!(shown.stdout.contains(line), "{line} is not in {}", shown.stdout);
    }
    assert_eq!(
        template_versions(&fixture, &web),
        (vec!["1".to_owned()], "1".to_owned(), template_versions(&fixture, &web).2)
    );
}
