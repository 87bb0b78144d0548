//! A tested image in other regions, in other hands, behind parameters.

use serde_json::{Value, json};

use crate::setting::{Setting, WEB};

const HOME: &str = "123456789012/us-east-1";
const AWAY: &str = "123456789012/eu-west-1";
const FAR: &str = "123456789012/ap-southeast-2";

/// A bake of a small image with this below `publish`.
fn web(publish: &str) -> Setting {
    Setting::new(&manifest(publish))
}

fn manifest(publish: &str) -> String {
    format!(
        "version: 1.0.0\n{WEB}    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n    publish: {publish}\n"
    )
}

fn images(setting: &Setting, place: &str) -> Vec<Value> {
    setting.cloud.leaks()[place]["images"].as_array().cloned().unwrap_or_default()
}

/// The calls of an action in a region.
fn calls(setting: &Setting, region: &str, action: &str) -> Vec<Value> {
    let calls = setting.cloud.calls().into_iter();
    calls.filter(|call| call["region"] == region && call["action"] == action).collect()
}

fn position(setting: &Setting, region: &str, action: &str) -> usize {
    let calls = setting.cloud.calls();
    let found = calls.iter().position(|call| call["region"] == region && call["action"] == action);
    found.unwrap_or_else(|| panic!("no {action} in {region}: {:?}", setting.cloud.actions()))
}

/// What the report says of a region.
fn delivery(setting: &Setting, region: &str) -> Value {
    let report = setting.report();
    let all = report["images"][0]["published"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["region"] == region).unwrap_or_else(|| panic!("{region} is not in {report:#}"))
}

#[test]
fn snapshots_are_copied_while_the_test_boots_and_registered_after_it() {
    let setting = web("{regions: [us-east-1, eu-west-1, ap-southeast-2]}");
    setting.bake().exits(0);
    setting.holds_only(&["shop/web/1.0.0"; 3]);
    for (place, region) in [(AWAY, "eu-west-1"), (FAR, "ap-southeast-2")] {
        let image = &images(&setting, place)[0];
        for (key, value) in [("ami-bake:version", "1.0.0"), ("ami-bake:image", "web")] {
            assert_eq!(image["tags"][key], value, "{image:#}");
        }
        assert!(image["tags"]["ami-bake:tested"].is_string(), "{image:#}");
        let snapshot = &setting.cloud.leaks()[place]["snapshots"][0];
        assert_eq!(snapshot["tags"]["ami-bake:version"], "1.0.0", "{snapshot:#}");
        assert!(snapshot["tags"]["ami-bake:expires"].is_null(), "{snapshot:#}");
        assert_eq!(delivery(&setting, region)["image"], image["id"]);
        assert_eq!(calls(&setting, region, "CopyImage").len(), 0);
        assert_eq!(
            calls(&setting, region, "RegisterImage").len(),
            1,
            "nothing but the tested image is ever registered"
        );
        let launched = setting.cloud.calls().iter().rposition(|call| call["action"] == "RunInstances").unwrap();
        let ended = setting.cloud.calls().iter().rposition(|call| call["action"] == "TerminateInstances").unwrap();
        let (copied, registered) =
            (position(&setting, region, "CopySnapshot"), position(&setting, region, "RegisterImage"));
        assert!(copied < ended && launched < registered, "{copied} {launched} {registered} {ended}");
    }
    assert_eq!(delivery(&setting, "us-east-1")["image"], images(&setting, HOME)[0]["id"]);
}

#[test]
fn a_failing_test_takes_the_copies_away() {
    let setting = Setting::new(&format!(
        "{WEB}    test:\n      - expect: {{file: /opt/nothing}}\n        timeout: 2s\n    publish: {{regions: [eu-west-1]}}\n"
    ));
    setting.bake().exits(6).says("/opt/nothing");
    assert_eq!(calls(&setting, "eu-west-1", "CopySnapshot").len(), 1);
    assert_eq!(calls(&setting, "eu-west-1", "RegisterImage").len(), 0);
    setting.holds_only(&[]);
}

#[test]
fn an_encrypted_image_gets_the_regions_own_key() {
    let setting = Setting::new(
        &manifest("{regions: [{region: eu-west-1, kms-key: alias/images}]}")
            .replace("    build:", "    machine: {disk: {encrypted: true, kms-key: alias/bake}}\n    build:"),
    );
    setting.bake().exits(0);
    let copy = calls(&setting, "eu-west-1", "CopySnapshot")[0].to_string();
    assert!(copy.contains("alias/images"), "{copy}");
    assert_eq!(calls(&setting, "eu-west-1", "CopyImage").len(), 0, "the copy is not refused: its URL is signed");
    setting.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn a_copy_whose_snapshot_fails_is_made_by_ec2_once() {
    let setting = web("{regions: [eu-west-1]}");
    setting.cloud.fault(
        &json!({"kind": "snapshot-error", "action": "CopySnapshot", "message": "Given key ID is not accessible"}),
    );
    setting.bake().exits(0).says("Given key ID is not accessible").says("EC2 copies the whole image");
    assert_eq!(calls(&setting, "eu-west-1", "CopyImage").len(), 1);
    setting.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn ec2_copies_what_may_not_be_registered_and_what_is_asked_for() {
    let product = manifest("{regions: [eu-west-1]}")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*");
    for manifest in [product, manifest("{regions: [eu-west-1], copy: image}")] {
        let setting = Setting::new(&manifest);
        setting.bake().exits(0);
        assert_eq!(calls(&setting, "eu-west-1", "CopySnapshot").len(), 0);
        assert_eq!(calls(&setting, "eu-west-1", "CopyImage").len(), 1);
        setting.holds_only(&["shop/web/1.0.0"; 2]);
    }
}

#[test]
fn a_region_that_fails_hides_no_other() {
    let setting = web("{regions: [eu-west-1, ap-southeast-2]}");
    let error = json!({"code": "InvalidRequest", "message": "the region is on fire", "http": 400});
    setting.cloud.fault(
        &json!({"kind": "error", "action": "RegisterImage", "region": "eu-west-1", "times": null, "error": error}),
    );
    setting.bake().exits(7).says("publish web 1.0.0 in eu-west-1").says("the region is on fire").says("ap-southeast-2");
    setting.holds_only(&["shop/web/1.0.0"; 2]);
    assert_eq!(delivery(&setting, "ap-southeast-2")["failure"], Value::Null);
    assert_eq!(delivery(&setting, "eu-west-1")["failure"]["kind"], "publish");
    assert_eq!(setting.report()["images"][0]["image"]["id"], images(&setting, HOME)[0]["id"]);

    // The next bake bakes nothing, and publishes what is missing.
    setting.cloud.forgive();
    setting.cloud.forget_calls();
    setting.bake().exits(0);
    assert!(!setting.cloud.actions().iter().any(|action| action == "RunInstances"));
    assert_eq!(calls(&setting, "ap-southeast-2", "CopySnapshot").len(), 0);
    setting.holds_only(&["shop/web/1.0.0"; 3]);
}

#[test]
fn what_is_not_final_goes_nowhere_unless_it_is_said() {
    let setting = web("{regions: [eu-west-1]}");
    setting.run(&["bake", "--image-version", "1.1.0-rc.1"]).exits(0);
    setting.holds_only(&["shop/web/1.1.0-rc.1"]);
    assert!(images(&setting, HOME)[0]["tags"]["ami-bake:expires"].is_string());
    setting.write("bake.yml", &manifest("{if: \"true\", regions: [eu-west-1]}"));
    setting.run(&["bake", "--image-version", "1.1.0-rc.2"]).exits(0);
    setting.holds_only(&["shop/web/1.1.0-rc.1", "shop/web/1.1.0-rc.2", "shop/web/1.1.0-rc.2"]);
}
