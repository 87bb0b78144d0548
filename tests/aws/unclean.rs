//! Resources that are left when something can't be deleted, or when nobody is left to delete it.

use std::path::Path;

use ami_bake_testkit::cloud::Cloud;
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::{Value, json};

use crate::action::{is_empty_but_for, job_with_keys};
use crate::fixture::{Fixture, WEB, binary, finish};
use crate::fleet::{self, group, template, template_versions};
use crate::publish::{AWAY, images, web};

const DAY: i64 = 24 * 3600;
const OTHER: &str = "222222222222";
const CLEAN_UP: [&str; 4] =
    ["ec2:DeregisterImage", "ec2:TerminateInstances", "ec2:DeleteSecurityGroup", "ec2:DeleteKeyPair"];

/// Kills a bake and deletes its ledger, as if the runner was lost.
fn lose(fixture: &Fixture, mut child: std::process::Child) {
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(fixture.path("state")).unwrap();
}

/// Waits until this many calls of an action that match `like` are held.
fn until_held(fixture: &Fixture, action: &str, times: usize, like: impl Fn(&Value) -> bool) {
    wait::until_true(action, || {
        let calls = fixture.cloud.calls_of(action).into_iter();
        calls.filter(|call| call["status"].is_null() && like(call)).count() == times
    });
}

#[test]
fn a_refused_clean_up_fails_no_bake_and_is_not_repeated() {
    let fixture = web("{regions: [eu-west-1]}");
    fixture.cloud.deny(&CLEAN_UP);
    let bake = fixture.bake().exits(9).says("left behind").says("ec2:DeregisterImage").says("ami-bake sweep");
    assert!(bake.stderr.contains("not clean") || bake.stdout.contains("not clean"), "{}", bake.stderr);
    let report = fixture.report();
    assert_eq!((&report["exit-code"], &report["images"][0]["status"]), (&json!(9), &json!("baked")), "{report:#}");
    assert_eq!(images(&fixture, AWAY).len(), 1, "it is published all the same");
    // Attempts at the end of the machine and of the run, but no ninety seconds of retries.
    for action in ["DeregisterImage", "DeleteKeyPair"] {
        assert!(fixture.cloud.count(action) <= 2, "{action}: {:?}", fixture.cloud.actions());
    }
    fixture.run(&["sweep", "--yes"]).exits(9);
    fixture.cloud.deny(&[]);
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn the_action_warns_of_what_is_left_and_its_post_step_tries_again() {
    let cloud = Cloud::start(Path::new(binary()));
    let job = job_with_keys(&cloud, &format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    cloud.deny(&CLEAN_UP);
    let main = job.main(binary(), &[]).exits(0);
    assert_eq!((main.output("clean"), main.output("tested")), ("false", "true"));
    assert!(main.annotations("warning").iter().any(|text| text.starts_with("not clean: ")), "{:?}", main.step);
    cloud.deny(&[]);
    let post = job.post(binary(), &[], &main).exits(0);
    assert!(post.step.text().contains("Cleaned up\n"), "{}", post.step.text());
    is_empty_but_for(&cloud, 1);
    // The next run reuses the image and has nothing to delete.
    assert_eq!(job.main(binary(), &[("on-unclean", "fail")]).exits(0).output("clean"), "true");
    cloud.deny(&CLEAN_UP);
    job.main(binary(), &[("on-unclean", "fail"), ("force", "true")]).exits(9);
}

#[test]
fn refused_tags_are_a_failed_publication_and_leave_nothing() {
    let fixture = web("{}");
    fixture.cloud.deny(&["ec2:CreateTags"]);
    fixture.bake().exits(7).says("ec2:CreateTags");
    fixture.cloud.deny(&["ec2:DeleteTags"]);
    fixture.bake().exits(7).says("ec2:DeleteTags");
    fixture.holds_only(&[]);
}

#[test]
fn credentials_that_end_after_the_build_are_not_nothing_built() {
    let fixture = web("{}");
    let ended = json!({"code": "RequestExpired", "message": "Request has expired.", "http": 400});
    let actions = ["StopInstances", "TerminateInstances", "Delete*", "ModifyNetworkInterfaceAttribute"];
    fixture.cloud.fault(&json!({"kind": "error", "action": actions, "times": null, "error": ended}));
    fixture.bake().exits(5).says("the AWS credentials have expired").says("left behind");
    fixture.cloud.forgive();
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&[]);
}

#[test]
fn three_bakes_of_one_version_at_once_are_one_image() {
    let fixture = web("{}");
    fixture
        .cloud
        .fault(&json!({"kind": "hold-answer", "action": "RegisterImage", "match": {"name": "shop/web/1.0.0"}}));
    let bakes: Vec<_> = (0..3).map(|_| fixture.command(&["bake"]).spawn().unwrap()).collect();
    until_held(&fixture, "RegisterImage", 3, |call| call["parameters"]["Name"] == "shop/web/1.0.0");
    fixture.cloud.forgive();
    let ended: Vec<_> = bakes.into_iter().map(|bake| finish(bake).exits(0)).collect();
    let adopted = ended.iter().filter(|bake| bake.stderr.contains("was registered by another run meanwhile")).count();
    assert_eq!(adopted, 2);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn age_is_judged_by_the_clouds_clock() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo begun > /opt/begun; sleep 3600\n"));
    // This machine's clock is a day ahead: by it, everything that the bake creates would have expired.
    fixture.cloud.set_date(-DAY);
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_file("/opt/begun");
    // As if from another machine, which has no ledger of the run.
    let sweep = || {
        let mut command = fixture.command(&["sweep", "--yes"]);
        command.env("XDG_STATE_HOME", fixture.path("elsewhere"));
        finish(command.spawn().unwrap()).exits(0)
    };
    sweep().says("Nothing to delete").says("ahead of AWS");
    let machine = &fixture.cloud.leaks()["123456789012/us-east-1"]["instances"][0];
    let expires: jiff::Timestamp = machine["tags"]["ami-bake:expires"].as_str().unwrap().parse().unwrap();
    assert!(expires < jiff::Timestamp::now(), "{machine:#}");
    lose(&fixture, child);
    fixture.cloud.set_date(2 * DAY);
    sweep();
    fixture.holds_only(&[]);
}

#[test]
fn sweep_looks_wherever_the_manifest_publishes_and_completes_what_was_cut_off() {
    let fixture = web(&format!(
        "{{regions: [eu-west-1], targets: [{{role: 'arn:aws:iam::{OTHER}:role/bake', regions: [eu-west-1]}}]}}"
    ));
    fixture.cloud.fault(&json!({"kind": "hold", "action": "CopySnapshot", "match": {"account": OTHER}}));
    fixture.cloud.fault(&json!({"kind": "hold-answer", "action": "RegisterImage", "region": "eu-west-1"}));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    until_held(&fixture, "RegisterImage", 1, |call| call["region"] == "eu-west-1");
    lose(&fixture, child);
    // EC2 registers the image in eu-west-1 although nobody waits for the answer: its snapshot still expires.
    fixture.cloud.forgive();
    wait::until_true("the image is not there", || images(&fixture, AWAY).len() == 1);
    let there = |place: &str| fixture.cloud.leaks()[place]["snapshots"].as_array().map_or(0, Vec::len);
    fixture.cloud.set_date(2 * DAY);
    fixture.run(&["sweep", "--region", "us-east-1", "--yes"]).exits(0);
    assert_eq!((there(AWAY), there(&format!("{OTHER}/eu-west-1"))), (1, 1), "only where it was told to look");
    let sweep = fixture.run(&["sweep", "--yes"]).exits(0);
    assert!(sweep.stdout.contains("eu-west-1 of 222222222222"), "{}", sweep.stdout);
    assert!(sweep.stdout.contains("kept: it belongs to the published image"), "{}", sweep.stdout);
    assert_eq!((there(AWAY), there(&format!("{OTHER}/eu-west-1"))), (1, 0));
    let snapshot: Value = fixture.cloud.leaks()[AWAY]["snapshots"][0].clone();
    assert!(snapshot["tags"]["ami-bake:expires"].is_null(), "{snapshot:#}");
    assert_eq!(snapshot["tags"]["ami-bake:version"], "1.0.0");
    fixture.run(&["sweep", "--yes"]).exits(0).says("Nothing to delete");
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

/// The runner is lost after the snapshots got their tags and before they lost their end.
#[test]
fn sweep_takes_the_end_off_a_published_snapshot() {
    let fixture = web("{regions: [eu-west-1]}");
    fixture.cloud.fault(&json!({"kind": "hold-answer", "action": "CreateTags", "region": "eu-west-1"}));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    until_held(&fixture, "CreateTags", 1, |call| call["region"] == "eu-west-1");
    lose(&fixture, child);
    fixture.cloud.forgive();
    let tags = || fixture.cloud.leaks()[AWAY]["snapshots"][0]["tags"].clone();
    wait::until_true("the snapshot has no tags", || tags()["ami-bake:tested"].is_string());
    assert!(tags()["ami-bake:expires"].is_string());
    fixture.cloud.set_date(2 * DAY);
    let sweep = fixture.run(&["sweep", "--yes"]).exits(0);
    assert!(sweep.stdout.contains("kept: it belongs to the published image"), "{}", sweep.stdout);
    assert!(tags()["ami-bake:expires"].is_null(), "{}", tags());
    fixture.run(&["sweep", "--yes"]).exits(0).says("Nothing to delete");
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn a_search_that_is_refused_does_not_find_an_account_clean() {
    let fixture = Fixture::new(&fleet::manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    let sweep = |denied: &str, arguments: &[&str]| {
        fixture.cloud.deny(&[denied]);
        fixture.run(&[&["sweep", "--yes"], arguments].concat())
    };
    sweep("ec2:DescribeVolumes", &[]).exits(9).says("could not list");
    // An active bake is recognized by its machine.
    let machines = sweep("ec2:DescribeInstances", &[]);
    assert!(!machines.stdout.contains("Nothing to delete") && machines.code != Some(0), "{}", machines.stderr);
    sweep("autoscaling:DescribeAutoScalingGroups", &[]).exits(9).says("could not list expired Auto Scaling groups");
    // Without the permission a bake can't have created any, so this does not count as incomplete.
    sweep("iam:ListRoles", &[]).exits(0).says("could not list");
    fixture.write("bake.yml", &crate::publish::manifest("{}"));
    sweep("autoscaling:DescribeAutoScalingGroups", &[]).exits(0).says("Nothing to delete");
}

#[test]
fn sweep_finds_the_template_version_of_a_killed_deployment() {
    let fixture = Fixture::new(&fleet::manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.fault(&json!({"kind": "hold-answer", "action": "CreateLaunchTemplateVersion"}));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    until_held(&fixture, "CreateLaunchTemplateVersion", 1, |_| true);
    lose(&fixture, child);
    fixture.cloud.forgive();
    wait::until_true("the version is not there", || template_versions(&fixture, &web).0.len() == 2);
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&fixture, &web).0.len(), 2, "a deployment may still be at it");
    fixture.cloud.set_date(2 * DAY);
    let sweep = fixture.run(&["sweep", "--yes"]).exits(0);
    assert!(sweep.stdout.contains("launch-template-version"), "{}", sweep.stdout);
    assert_eq!(template_versions(&fixture, &web).0, ["1"]);
    // A version that has been put to use stays.
    fixture.bake().exits(0);
    fixture.cloud.set_date(4 * DAY);
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&fixture, &web).0.len(), 2);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

/// From the capture on, AWS refuses the credentials permanently.
#[test]
fn credentials_that_end_fail_the_stage_and_are_not_used_for_ninety_seconds() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    let capture = ["StopInstances", "CreateSnapshots"];
    let clean_up = ["TerminateInstances", "DeleteSecurityGroup", "DeleteKeyPair"];
    let error = json!({"code": "RequestExpired", "message": "Request has expired.", "http": 400});
    let actions = [&capture[..], &clean_up[..]].concat();
    fixture.cloud.fault(&json!({"kind": "error", "action": actions, "times": null, "error": error}));
    let bake = fixture.bake().exits(5).says("the AWS credentials have expired").says("left behind");
    assert!(bake.stderr.contains("Use a role"), "{}", bake.stderr);
    for action in clean_up {
        // Once in the clean-up of the image, and once in that of the run.
        assert!(fixture.cloud.count(action) <= 3, "{action}: {:?}", fixture.cloud.actions());
    }
    let sweep = fixture.run(&["sweep", "--yes"]).exits(9);
    assert!(sweep.stdout.contains("the AWS credentials have expired"), "{}", sweep.stdout);
    fixture.cloud.forgive();
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&[]);
}

/// With another account the machine in a ledger is not found, which does not mean that it is gone.
#[test]
fn a_sweep_with_other_credentials_deletes_nothing_and_forgets_nothing() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo begun > /opt/begun; sleep 3600\n"));
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_file("/opt/begun");
    child.kill().unwrap();
    child.wait().unwrap();
    let role = format!("arn:aws:iam::{OTHER}:role/bakery");
    let sweep = fixture.run(&["sweep", "--role", &role, "--yes"]).exits(9);
    let said = format!("it belongs to AWS account 123456789012, and this command uses AWS account {OTHER}");
    assert!(sweep.stdout.contains(&said), "{}", sweep.stdout);
    assert!(fixture.cloud.instances().iter().any(|machine| machine["state"] == "running"));
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&[]);
}

/// The same of the post step, whose role may be another one.
#[test]
fn a_post_step_with_other_credentials_deletes_nothing_and_forgets_nothing() {
    let cloud = Cloud::start(Path::new(binary()));
    let job = job_with_keys(&cloud, &format!("{WEB}    build:\n      - run: sleep 3600\n"));
    let running = job.start(binary(), &[]);
    let runs = || cloud.instances().iter().any(|instance| instance["state"] == "running");
    wait::until_true("no machine runs", runs);
    signal(&running.child, "KILL");
    let main = running.end();
    let mut state = main.state.clone();
    let role = json!([format!("arn:aws:iam::{OTHER}:role/bakery")]);
    let mut args: Value = serde_json::from_str(&state["platform-args"]).unwrap();
    args["identity"]["role"] = role;
    state.insert("platform-args".to_owned(), args.to_string());
    let post = job.start_post(binary(), &[], &state).end().exits(0);
    let said = format!("it belongs to AWS account 123456789012, and this command uses AWS account {OTHER}");
    assert!(post.annotations("warning").join("\n").contains(&said), "{}", post.step.text());
    assert!(runs());
    let post = job.post(binary(), &[], &main).exits(0);
    assert!(post.step.text().contains("Cleaned up\n"), "{}", post.step.text());
    is_empty_but_for(&cloud, 0);
}

#[test]
fn a_clock_that_is_off_is_reported_with_the_difference() {
    let fixture = web("{}");
    fixture.cloud.set_date(-DAY);
    let codes = [
        ("us-east-1", "RequestTimeTooSkewed"),
        ("us-east-2", "SignatureDoesNotMatch"),
        ("us-west-2", "InvalidSignatureException"),
        ("eu-west-1", "AuthFailure"),
        ("eu-central-1", "RequestExpired"),
    ];
    // One region for each code, so that all are requested at once.
    let plans = codes.map(|(region, code)| {
        let error = json!({"code": code, "message": "Signature expired", "http": 403});
        let rule =
            json!({"kind": "error", "action": "DescribeImages", "region": region, "times": null, "error": error});
        fixture.cloud.fault(&rule);
        fixture.command(&["plan", "--region", region]).spawn().unwrap()
    });
    for plan in plans {
        finish(plan).exits(4).says("the clock of this machine is 24h ahead of AWS").says("timedatectl");
    }
    // Two requests, which the SDK signs once more each, with the time of AWS.
    let calls = fixture.cloud.calls_of("DescribeImages");
    for (region, code) in codes {
        let count = calls.iter().filter(|call| call["region"] == region).count();
        assert!((1..=4).contains(&count), "{code}: {count} calls");
    }
}
