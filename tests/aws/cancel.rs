//! A cancel in every stage: the exit code, in time, and nothing is left.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, WEB, finish};

/// Bakes, sends SIGINT once the cloud has seen `action`, and judges what is left.
fn cancelled_at(action: &str, manifest: &str) {
    let fixture = Fixture::new(manifest);
    let child = fixture.command(&["bake"]).spawn().unwrap();
    let begun = Instant::now();
    while !fixture.cloud.actions().iter().any(|seen| seen == action) {
        assert!(begun.elapsed() < Duration::from_mins(1), "{action} was never called: {:?}", fixture.cloud.actions());
        std::thread::sleep(Duration::from_millis(50));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let asked = Instant::now();
    let outcome = finish(child).exits(130);
    assert!(asked.elapsed() < Duration::from_secs(4), "GitHub would have killed it: {:?}", asked.elapsed());
    // Nothing was left to sweep: no ledger, and no group that a machine still held.
    assert!(!outcome.stderr.contains("left behind"), "{}", outcome.stderr);
    fixture.holds_only(&[]);
}

fn manifest() -> String {
    format!("{WEB}    build:\n      - run: sleep 2\n    test:\n      - run: sleep 5\n")
}

#[test]
fn while_it_looks_for_the_source() {
    cancelled_at("DescribeImages", &manifest());
}

#[test]
fn while_it_launches() {
    cancelled_at("RunInstances", &manifest());
}

#[test]
fn while_it_connects() {
    cancelled_at("DescribeInstances", &manifest());
}

#[test]
fn while_it_copies_the_source() {
    cancelled_at("CopySnapshot", &format!("{WEB}    machine: {{lineage: true}}\n    build:\n      - run: sleep 5\n"));
}

#[test]
fn while_it_captures() {
    cancelled_at("StopInstances", &manifest());
}

#[test]
fn while_the_snapshot_is_taken() {
    cancelled_at("CreateSnapshots", &manifest());
}

#[test]
fn while_it_tests() {
    cancelled_at("RegisterImage", &manifest());
}
