//! Refreshes that fail: the group is as before, and the report says so.

use ami_bake_testkit::test_dir::signal;
use serde_json::{Value, json};

use crate::fixture::{Fixture, finish};
use crate::fleet::{
    described, elements, empty, group, manifest, rollout_events, rollouts, template, template_versions, until_run_with,
    versions,
};

fn on(version: &str) -> (String, Vec<String>) {
    (version.to_owned(), vec!["1".to_owned(); 5])
}

#[test]
fn a_refresh_that_fails_at_40_percent_is_rolled_back_by_ec2() {
    let fixture =
        Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    fixture
        .bake()
        .exits(8)
        .says("deploy web 1.0.0 to web in us-east-1; rolled back")
        .says("rolled back at 40%: Instances failed to become healthy")
        .says("Retry with `ami-bake deploy --report bake-report.json`");
    assert_eq!(versions(&fixture, "web"), on("1"));
    assert_eq!(template_versions(&fixture, &web).0, ["1"], "whoever follows the newest would launch it");
    let rollout = &rollouts(&fixture)[0];
    assert_eq!(rollout["outcome"], "rolled-back");
    assert!(rollout["done"].to_string().contains("5 of 5 machines of web run version 1"), "{rollout:#}");
    assert_eq!(
        (&fixture.report()["exit-code"], &fixture.report()["images"][0]["status"]),
        (&json!(8), &json!("failed"))
    );
    fixture.holds_only(&["shop/web/1.0.0"]);

    // The rollback can fail, too; then nothing is deleted that a machine may use.
    fixture.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    fixture.cloud.fault(&json!({"kind": "rollback-fails"}));
    let failed = fixture.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = rollout_events(&failed.stdout).remove(0);
    assert_eq!(rollout["outcome"], "rollback-failed", "{rollout:#}");
    assert_eq!(rollouts(&fixture)[0], rollout, "the report tells what was deployed last");
    assert!(rollout["done"].to_string().contains("machines of web run version 3"), "{rollout:#}");
    assert_eq!(template_versions(&fixture, &web).0, ["1", "3"]);
    // A refresh that does not finish is stopped at its time limit and rolled back; the version is used again next time.
    let refresh = fixture.cloud.hold_refresh(60);
    let hurried = manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80, wait: 3s}}]");
    fixture.write("bake.yml", &hurried);
    let late = fixture.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = rollout_events(&late.stdout).remove(0);
    assert_eq!((&rollout["outcome"], &rollout["version"]), (&json!("rolled-back"), &json!(3)), "{rollout:#}");
    assert!(rollout["failure"]["causes"].to_string().contains("refresh.wait"), "{rollout:#}");
    assert_eq!(fixture.cloud.count("RollbackInstanceRefresh"), 1);
    assert_eq!(versions(&fixture, "web"), on("1"));
    refresh.release();
    // `stop` leaves the group as it is.
    fixture.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    fixture.write("bake.yml", &hurried.replace("wait: 3s", "on-failure: stop"));
    let left = fixture.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = rollout_events(&left.stdout).remove(0);
    assert_eq!(rollout["outcome"], "failed", "{rollout:#}");
    assert_eq!(versions(&fixture, "web").1, ["1", "1", "1", "3", "3"]);
    assert_eq!(fixture.cloud.count("RollbackInstanceRefresh"), 1);
}

#[test]
fn groups_on_default_or_latest_are_rolled_back_by_a_second_refresh() {
    let entry =
        |name: &str| format!("{{launch-template: {name}, auto-scaling-group: {name}, refresh: {{min-healthy: 80}}}}");
    let fixture = Fixture::new(&manifest(&format!("[{}, {}]", entry("default"), entry("latest"))));
    let default = template(&fixture, "default", "");
    let latest = template(&fixture, "latest", "");
    group(&fixture, "default", &default, "$Default", "");
    group(&fixture, "latest", &latest, "$Latest", "");
    let fails = |group: &str| json!({"kind": "refresh-fails", "at": 40, "match": {"AutoScalingGroupName": group}});
    fixture.cloud.fault(&fails("default"));
    fixture.bake().exits(8).says("Rolling back default to version 1").says("failed at 40%");
    assert_eq!(versions(&fixture, "default"), on("$Default"));
    let outcomes: Vec<Value> = rollouts(&fixture).iter().map(|rollout| rollout["outcome"].clone()).collect();
    assert_eq!(outcomes, ["rolled-back", "skipped"], "the second one is not begun after the first one failed");
    let starts = fixture.cloud.calls_of("StartInstanceRefresh");
    assert_eq!(starts.len(), 2);
    let (there, back) = (&starts[0]["parameters"], &starts[1]["parameters"]);
    assert_eq!(there["Preferences"]["AutoRollback"], Value::Null, "EC2 refuses it for this group");
    assert_eq!(back["DesiredConfiguration"]["LaunchTemplate"]["Version"], "$Default", "{back:#}");
    assert_eq!(back["Preferences"]["SkipMatching"], true, "what was not replaced yet is left alone");
    assert_eq!(template_versions(&fixture, &default).1, "1");
    fixture.holds_only(&["shop/web/1.0.0"]);

    // The first deployment succeeds; the second one's version must be deleted before its group can go back.
    fixture.cloud.fault(&fails("latest"));
    fixture
        .run(&["deploy", "--report", "bake-report.json"])
        .exits(8)
        .says("Deployment to latest in us-east-1 rolled back");
    let (numbers, now, _) = template_versions(&fixture, &default);
    assert_eq!((numbers.len(), &now), (2, &numbers[1]), "the group follows its default, so that moves along");
    assert_eq!(versions(&fixture, "default"), ("$Default".to_owned(), vec![now; 5]));
    assert_eq!(versions(&fixture, "latest"), on("$Latest"));
    assert_eq!(template_versions(&fixture, &latest).0, ["1"]);
    fixture.run(&["deploy", "--report", "bake-report.json"]).exits(0).says("Already deployed to default in us-east-1");
    let (asked, run) = versions(&fixture, "latest");
    assert_eq!((asked.as_str(), run), ("$Latest", vec![template_versions(&fixture, &latest).0[1].clone(); 5]));
}

/// A refresh that EC2 reports as successful fails if no machine runs the new version; the next deployment repeats it.
#[test]
fn a_refresh_that_replaced_no_machine_is_not_deployed() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    fixture.cloud.fault(&json!({"kind": "refresh-replaces-nothing"}));
    fixture.bake().exits(8).says("succeeded, but none of its 5 machines runs version 2");
    let rollout = &rollouts(&fixture)[0];
    assert_eq!(rollout["outcome"], "failed", "{rollout:#}");
    fixture.run(&["deploy", "--report", "bake-report.json"]).exits(0).says("5 of 5 machines of web run version 2");
    assert_eq!(versions(&fixture, "web"), ("2".to_owned(), vec!["2".to_owned(); 5]));
}

/// An empty group is deployed, and the output says that no machine runs the image yet.
#[test]
fn an_empty_group_is_deployed_for_the_next_launch() {
    let fixture = Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    empty(&fixture, "web");
    fixture.bake().exits(0).says("web has no machines; the next one launches with version 2");
    assert_eq!(elements(&described(&fixture, "web"), "Version"), ["2"]);
}

/// Deploys, sends SIGINT once the refresh is half done, and asserts that the run ends in time.
fn cancelled(fixture: &Fixture, group: &str) {
    let child = fixture.command(&["bake"]).spawn().unwrap();
    until_run_with(fixture, group, "2", 2);
    signal(&child, "INT");
    finish(child).exits(130).says("Left behind launch template version").says("while it is rolled back");
    assert_eq!(rollouts(fixture)[0]["outcome"], "rolling-back");
}

#[test]
fn a_cancelled_refresh_is_rolled_back() {
    let fixture =
        Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, "1", "");
    let _refresh = fixture.cloud.hold_refresh(40);
    cancelled(&fixture, "web");
    assert_eq!(fixture.cloud.count("RollbackInstanceRefresh"), 1);
    until_run_with(&fixture, "web", "1", 5);
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&fixture, &web).0, ["1"], "the version went once nothing ran with it");
    fixture.holds_only(&["shop/web/1.0.0"]);
}

/// A rollback that EC2 can't do by itself: it is still in the ledger, and sweep does it.
fn goes_back_by_sweep(follows: &str) {
    let fixture =
        Fixture::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&fixture, "web", "");
    group(&fixture, "web", &web, follows, "");
    let _refresh = fixture.cloud.hold_refresh(40);
    cancelled(&fixture, "web");
    fixture.run(&["sweep", "--yes"]).exits(0);
    until_run_with(&fixture, "web", "1", 5);
    assert_eq!(versions(&fixture, "web"), on(follows));
    fixture.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&fixture, &web).0, ["1"]);
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn sweep_rolls_back_a_cancelled_group_on_default() {
    goes_back_by_sweep("$Default");
}

#[test]
fn sweep_rolls_back_a_cancelled_group_on_latest() {
    goes_back_by_sweep("$Latest");
}
