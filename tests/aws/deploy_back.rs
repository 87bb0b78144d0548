//! A refresh that does not come to a good end: the group is as it was, and the report says so.

use std::process::Command;

use serde_json::{Value, json};

use crate::fleet::{group, manifest, rollouts, template, template_versions, told, until, versions};
use crate::setting::{Setting, finish};

fn on(version: &str) -> (String, Vec<String>) {
    (version.to_owned(), vec!["1".to_owned(); 5])
}

#[test]
fn a_refresh_that_fails_at_40_percent_is_rolled_back_by_ec2() {
    let setting =
        Setting::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&setting, "web", "");
    group(&setting, "web", &web, "1", "");
    setting.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    setting
        .bake()
        .exits(8)
        .says("deploy web 1.0.0 to web in us-east-1; it is as it was before")
        .says("rolled back at 40 %: Instances failed to become healthy")
        .says("`ami-bake deploy --report bake-report.json` tries it again");
    assert_eq!(versions(&setting, "web"), on("1"));
    assert_eq!(template_versions(&setting, &web).0, ["1"], "whoever follows the newest would launch it");
    let rollout = &rollouts(&setting)[0];
    assert_eq!(rollout["outcome"], "rolled-back");
    assert!(rollout["done"].to_string().contains("5 of 5 machines of web run with version 1"), "{rollout:#}");
    assert_eq!(
        (&setting.report()["exit-code"], &setting.report()["images"][0]["status"]),
        (&json!(8), &json!("failed"))
    );
    setting.holds_only(&["shop/web/1.0.0"]);

    // The way back can fail too; then nothing is taken away that a machine may run with.
    setting.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    setting.cloud.fault(&json!({"kind": "rollback-fails"}));
    let failed = setting.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = told(&failed.stdout).remove(0);
    assert_eq!(rollout["outcome"], "rollback-failed", "{rollout:#}");
    assert_eq!(rollouts(&setting)[0], rollout, "the report tells what was deployed last");
    assert!(rollout["done"].to_string().contains("machines of web run with version 3"), "{rollout:#}");
    assert_eq!(template_versions(&setting, &web).0, ["1", "3"]);
    // A refresh that stays on the way is stopped when its time is over, and goes back; what was made before is used again.
    setting.cloud.fault(&json!({"kind": "refresh-stalls", "at": 60}));
    let hurried = manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80, wait: 3s}}]");
    setting.write("bake.yml", &hurried);
    let late = setting.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = told(&late.stdout).remove(0);
    assert_eq!((&rollout["outcome"], &rollout["version"]), (&json!("rolled-back"), &json!(3)), "{rollout:#}");
    assert!(rollout["failure"]["causes"].to_string().contains("refresh.wait"), "{rollout:#}");
    assert_eq!(setting.cloud.count("RollbackInstanceRefresh"), 1);
    assert_eq!(versions(&setting, "web"), on("1"));
    // `stop` leaves the group where it is.
    setting.cloud.fault(&json!({"kind": "refresh-fails", "at": 40}));
    setting.write("bake.yml", &hurried.replace("wait: 3s", "on-failure: stop"));
    let left = setting.run(&["deploy", "--report", "bake-report.json", "--json"]).exits(8);
    let rollout = told(&left.stdout).remove(0);
    assert_eq!(rollout["outcome"], "failed", "{rollout:#}");
    assert_eq!(versions(&setting, "web").1, ["1", "1", "1", "3", "3"]);
    assert_eq!(setting.cloud.count("RollbackInstanceRefresh"), 1);
}

#[test]
fn groups_that_follow_a_pointer_are_brought_back_by_hand() {
    let entry =
        |name: &str| format!("{{launch-template: {name}, auto-scaling-group: {name}, refresh: {{min-healthy: 80}}}}");
    let setting = Setting::new(&manifest(&format!("[{}, {}]", entry("default"), entry("latest"))));
    let default = template(&setting, "default", "");
    let latest = template(&setting, "latest", "");
    group(&setting, "default", &default, "$Default", "");
    group(&setting, "latest", &latest, "$Latest", "");
    let fails = |group: &str| json!({"kind": "refresh-fails", "at": 40, "match": {"AutoScalingGroupName": group}});
    setting.cloud.fault(&fails("default"));
    setting.bake().exits(8).says("default goes back to version 1").says("failed at 40 %");
    assert_eq!(versions(&setting, "default"), on("$Default"));
    let outcomes: Vec<Value> = rollouts(&setting).iter().map(|rollout| rollout["outcome"].clone()).collect();
    assert_eq!(outcomes, ["rolled-back", "skipped"], "the second one is not begun after the first one failed");
    let starts = setting.cloud.calls_of("StartInstanceRefresh");
    assert_eq!(starts.len(), 2);
    let (there, back) = (&starts[0]["parameters"], &starts[1]["parameters"]);
    assert_eq!(there["Preferences"]["AutoRollback"], Value::Null, "EC2 refuses it for this group");
    assert_eq!(back["DesiredConfiguration"]["LaunchTemplate"]["Version"], "$Default", "{back:#}");
    assert_eq!(back["Preferences"]["SkipMatching"], true, "what was not replaced yet is left alone");
    assert_eq!(template_versions(&setting, &default).1, "1");
    setting.holds_only(&["shop/web/1.0.0"]);

    // Then the first one succeeds, and the second one's version has to go before its group can go back.
    setting.cloud.fault(&fails("latest"));
    setting.run(&["deploy", "--report", "bake-report.json"]).exits(8).says("latest in us-east-1 rolled-back");
    let (numbers, now, _) = template_versions(&setting, &default);
    assert_eq!((numbers.len(), &now), (2, &numbers[1]), "the group follows its default, so that moves along");
    assert_eq!(versions(&setting, "default"), ("$Default".to_owned(), vec![now; 5]));
    assert_eq!(versions(&setting, "latest"), on("$Latest"));
    assert_eq!(template_versions(&setting, &latest).0, ["1"]);
    setting.run(&["deploy", "--report", "bake-report.json"]).exits(0).says("default in us-east-1 is as it should be");
    let (asked, run) = versions(&setting, "latest");
    assert_eq!((asked.as_str(), run), ("$Latest", vec![template_versions(&setting, &latest).0[1].clone(); 5]));
}

/// Deploys, sends SIGINT once the refresh is half done, and judges that it ends in time.
fn cancelled(setting: &Setting, group: &str) {
    let child = setting.command(&["bake"]).spawn().unwrap();
    until(|| (versions(setting, group).1.iter().filter(|version| *version == "2").count() == 2).then_some(()));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    finish(child).exits(130).says("left behind launch template version").says("goes back");
    assert_eq!(rollouts(setting)[0]["outcome"], "rolling-back");
}

#[test]
fn a_cancel_while_it_runs_sends_the_group_back() {
    let setting =
        Setting::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&setting, "web", "");
    group(&setting, "web", &web, "1", "");
    setting.cloud.fault(&json!({"kind": "refresh-stalls", "at": 40}));
    cancelled(&setting, "web");
    assert_eq!(setting.cloud.count("RollbackInstanceRefresh"), 1);
    until(|| (versions(&setting, "web") == on("1")).then_some(()));
    setting.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&setting, &web).0, ["1"], "the version went once nothing ran with it");
    setting.holds_only(&["shop/web/1.0.0"]);
}

/// EC2 can't do it by itself: the ledger still knows what is to be done, and sweep does it.
fn goes_back_by_sweep(follows: &str) {
    let setting =
        Setting::new(&manifest("[{launch-template: web, auto-scaling-group: web, refresh: {min-healthy: 80}}]"));
    let web = template(&setting, "web", "");
    group(&setting, "web", &web, follows, "");
    setting.cloud.fault(&json!({"kind": "refresh-stalls", "at": 40}));
    cancelled(&setting, "web");
    setting.run(&["sweep", "--yes"]).exits(0);
    until(|| (versions(&setting, "web") == on(follows)).then_some(()));
    setting.run(&["sweep", "--yes"]).exits(0);
    assert_eq!(template_versions(&setting, &web).0, ["1"]);
    setting.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn a_cancelled_group_on_the_default_goes_back_once_it_stopped() {
    goes_back_by_sweep("$Default");
}

#[test]
fn a_cancelled_group_on_the_newest_goes_back_once_it_stopped() {
    goes_back_by_sweep("$Latest");
}
