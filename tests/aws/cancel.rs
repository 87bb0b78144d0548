//! A cancel in every stage: the exit code, and nothing is left. The event that the stage waits for never comes, so a
//! bake that kept waiting would not end: GitHub kills a step 10 s after the cancel.

use ami_bake_testkit::cloud::Hold;
use ami_bake_testkit::test_dir::signal;
use serde_json::json;

use crate::fixture::{Fixture, WEB, finish};

/// Bakes, sends SIGINT once the bake waits for what `hold` holds back, and asserts that nothing is left.
fn cancelled(manifest: &str, hold: impl FnOnce(&Fixture) -> Hold<'_>) {
    let fixture = Fixture::new(manifest);
    let hold = hold(&fixture);
    cancelled_when(&fixture, |_| hold.until_reached());
}

fn manifest() -> String {
    format!("{WEB}    build:\n      - run: 'true'\n    test:\n      - run: sleep 3600\n")
}

#[test]
fn while_it_looks_for_the_source() {
    cancelled(&manifest(), |fixture| fixture.cloud.hold_answer("DescribeImages"));
}

#[test]
fn while_it_launches() {
    cancelled(&manifest(), |fixture| fixture.cloud.hold("RunInstances"));
}

#[test]
fn while_it_copies_the_source() {
    let manifest = format!("{WEB}    machine: {{lineage: true}}\n    build:\n      - run: sleep 3600\n");
    cancelled(&manifest, |fixture| fixture.cloud.hold("CopySnapshot"));
}

#[test]
fn while_it_captures() {
    cancelled(&manifest(), |fixture| fixture.cloud.hold("StopInstances"));
}

#[test]
fn while_the_snapshot_is_taken() {
    cancelled(&manifest(), |fixture| fixture.cloud.hold("CreateSnapshots"));
}

#[test]
fn while_the_image_is_registered() {
    cancelled(&manifest(), |fixture| fixture.cloud.hold("RegisterImage"));
}

#[test]
fn while_it_connects() {
    let fixture = Fixture::new(&manifest());
    fixture.cloud.fault(&json!({"kind": "no-sshd"}));
    cancelled_when(&fixture, Fixture::until_running);
}

#[test]
fn while_it_builds() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo begun > /opt/begun; sleep 3600\n"));
    cancelled_when(&fixture, |fixture| fixture.until_file("/opt/begun"));
}

#[test]
fn while_it_tests() {
    let manifest = manifest().replace("sleep 3600", "echo begun > /opt/begun; sleep 3600");
    cancelled_when(&Fixture::new(&manifest), |fixture| fixture.until_file("/opt/begun"));
}

/// Bakes, sends SIGINT once `there` returns, and asserts that nothing is left.
fn cancelled_when(fixture: &Fixture, there: impl FnOnce(&Fixture)) {
    let child = fixture.command(&["bake"]).spawn().unwrap();
    there(fixture);
    signal(&child, "INT");
    let outcome = finish(child).exits(130);
    // Nothing is left to sweep: no ledger, and no group that a machine still uses.
    assert!(!outcome.stderr.contains("left behind"), "{}", outcome.stderr);
    fixture.holds_only(&[]);
}
