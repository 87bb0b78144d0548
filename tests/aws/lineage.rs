//! The source's snapshot copied once into the account, so that the first snapshot of a bake is incremental.

use ami_bake_testkit::wait;
use serde_json::{Value, json};

use crate::fixture::{Fixture, WEB};

fn manifest(lineage: bool, word: &str) -> String {
    format!("{WEB}    machine: {{lineage: {lineage}}}\n    build:\n      - run: echo {word} > /opt/hello\n")
}

/// The image that each machine of the last bake was launched from.
fn started_from(fixture: &Fixture) -> Vec<String> {
    let calls = fixture.cloud.calls_of("RunInstances");
    calls.iter().map(|call| call["parameters"]["ImageId"].as_str().unwrap().to_owned()).collect()
}

fn left(fixture: &Fixture, kind: &str) -> Vec<Value> {
    fixture.cloud.leaks()["123456789012/us-east-1"][kind].as_array().cloned().unwrap_or_default()
}

/// The account's own copy, if there is one.
fn copy(fixture: &Fixture) -> Option<Value> {
    left(fixture, "images").into_iter().find(|image| image["name"].as_str().unwrap().starts_with("ami-bake-lineage/"))
}

#[test]
fn the_second_bake_starts_from_the_accounts_own_copy() {
    let fixture = Fixture::new(&manifest(true, "one"));
    fixture.bake().exits(0);
    let source = started_from(&fixture)[0].clone();
    let copy = copy(&fixture).expect("the copy is made beside the bake");
    let (id, name) = (copy["id"].as_str().unwrap(), copy["name"].as_str().unwrap());
    assert_eq!(copy["tags"]["ami-bake:lineage"], source, "{copy:#}");
    assert!(copy["tags"]["ami-bake:expires"].is_string() && copy["tags"]["ami-bake:digest"].is_null(), "{copy:#}");
    fixture.holds_only(&[name, "shop/web/0.1.0"]);

    // A snapshot that is not incremental would take far too long.
    fixture.cloud.latency(&json!({"create_image_full": 36000, "create_image_full_fast_volume": 36000}));
    fixture.write("bake.yml", &manifest(true, "two"));
    fixture.cloud.forget_calls();
    fixture.bake().exits(0).says(&format!("Starting from {id}"));
    assert_eq!(started_from(&fixture)[0], id);
    assert!(fixture.cloud.calls_of("CopySnapshot").is_empty(), "one copy is enough");
    fixture.holds_only(&[name, "shop/web/0.1.0", "shop/web/0.1.1"]);
    let images = left(&fixture, "images");
    let baked = images.iter().find(|image| image["name"] == "shop/web/0.1.1").unwrap();
    assert_eq!(baked["tags"]["ami-bake:source-ami"], source, "the source is the real one");

    // The copy is not listed as an image, and is not in the digest.
    let listed = fixture.run(&["images"]).exits(0);
    assert!(listed.stdout.contains("0.1.1") && !listed.stdout.contains(id), "{}", listed.stdout);
    let machines = fixture.cloud.instances().len();
    fixture.write("bake.yml", &manifest(false, "two"));
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.instances().len(), machines, "the digest is another");
}

#[test]
fn nothing_waits_for_a_copy_and_the_next_bake_finishes_it() {
    let fixture = Fixture::new(&manifest(true, "one"));
    let copying = fixture.cloud.hold("CopySnapshot");
    fixture.bake().exits(0);
    assert!(copy(&fixture).is_none(), "the bake waited for the copy");
    let begun =
        left(&fixture, "snapshots").into_iter().find(|one| one["tags"]["ami-bake:lineage"].is_string()).unwrap();
    assert!(begun["tags"]["ami-bake:expires"].is_string(), "{begun:#}");
    fixture.holds_only_besides(&["shop/web/0.1.0"], 1);

    fixture.write("bake.yml", &manifest(true, "two"));
    copying.release();
    wait::until_true("the copy is still pending", || {
        left(&fixture, "snapshots").iter().all(|snapshot| snapshot["state"] != "pending")
    });
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.calls_of("CopySnapshot").len(), 1, "what was begun is not begun again");
    let copy = copy(&fixture).unwrap();
    fixture.holds_only(&[copy["name"].as_str().unwrap(), "shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[test]
fn a_refused_copy_does_not_fail_the_bake() {
    let fixture = Fixture::new(&manifest(true, "one"));
    fixture.cloud.deny(&["ec2:CopySnapshot"]);
    fixture.bake().exits(0).says("ec2:CopySnapshot");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_failed_copy_is_deleted() {
    let fixture = Fixture::new(&manifest(true, "one"));
    fixture.cloud.fault(
        &json!({"kind": "snapshot-error", "action": "CopySnapshot", "message": "Given key ID is not accessible"}),
    );
    fixture.bake().exits(0).says("Given key ID is not accessible");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn an_image_with_a_billing_code_is_not_copied() {
    let manifest = manifest(true, "one")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*");
    let fixture = Fixture::new(&manifest);
    fixture.bake().exits(0).says("billing code");
    assert!(fixture.cloud.calls_of("CopySnapshot").is_empty());
    fixture.holds_only(&["shop/web/0.1.0"]);
}
