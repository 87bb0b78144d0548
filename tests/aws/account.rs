//! The questions to a real account, asked of the test cloud: each gets its row, and nothing is left.

use std::path::Path;
use std::process::{Command, Stdio};

use ami_bake_testkit::test_dir::CommandOutcome;
use serde_json::{Value, json};

use crate::fixture::{Fixture, binary};

/// The check with these arguments.
fn check(fixture: &Fixture, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("bench/aws-account/run"));
    command
        .args(["--region", "us-east-1", "--pause", "0.1", "--json", "rows.json"])
        .args(arguments)
        .current_dir(fixture.path(""))
        .env_clear()
        .envs(fixture.cloud.env())
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", fixture.path(""))
        .env("PYTHON", root.join(".venv/bin/python"))
        .env("AMI_BAKE_BIN", binary())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(fixture: &Fixture, arguments: &[&str]) -> CommandOutcome {
    CommandOutcome::of(check(fixture, arguments).spawn().unwrap())
}

fn rows(fixture: &Fixture) -> Vec<(String, Value)> {
    let rows: Value = serde_json::from_slice(&std::fs::read(fixture.path("rows.json")).unwrap()).unwrap();
    let row = |row: &Value| (row["question"].as_str().unwrap().to_owned(), row["answer"].clone());
    rows.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn each_question_to_an_account_gets_a_row_and_leaves_nothing() {
    let fixture = Fixture::new("");
    // Without a yes nothing is made.
    let refused = run(&fixture, &["--only", "questions"]);
    assert!(refused.stdout.contains("Costs ") && refused.stdout.contains("Deletes "), "{}", refused.stdout);
    assert_eq!(fixture.cloud.count("RunInstances"), 0);

    let asked = run(&fixture, &["--yes"]).exits(0);
    let rows = rows(&fixture);
    let answer = |part: &str| {
        let found = rows.iter().find(|(question, _)| question.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {}", asked.stdout)).1.clone()
    };
    for (part, expected) in [
        ("takes the shutdown behavior", true),
        ("keeps running when its guest halts", true),
        ("shows the power-down while", true),
        ("CreateSnapshots is accepted then", true),
        ("terminated early is completed", true),
        ("arm64 image that was registered without", true),
        ("x86_64 image that was registered without", false),
        ("passes the shutdown behavior `terminate` on", true),
        ("t2.micro has a live console", false),
        ("t3.small has a live console", true),
        ("of CompleteSnapshot", true),
        ("bakes Amazon Linux 2023", true),
        ("bakes Ubuntu 24.04", true),
        ("bakes Debian 12", true),
        ("bakes Debian 13", true),
        ("bakes RHEL 9", true),
    ] {
        assert_eq!(answer(part), json!(expected), "{part}: {}", asked.stdout);
    }
    assert_eq!(rows.len(), 23, "{}", asked.stdout);
    fixture.holds_only(&[]);
}

#[test]
fn what_could_not_be_asked_is_no_answer() {
    let fixture = Fixture::new("");
    let full = json!({"code": "InsufficientInstanceCapacity", "message": "There is no Spot capacity", "http": 500});
    fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null, "error": full}));
    let asked = run(&fixture, &["--yes", "--only", "spot"]);
    assert_eq!(asked.code, Some(1), "{}{}", asked.stdout, asked.stderr);
    assert_eq!(rows(&fixture), [("spot: the rest of the question".to_owned(), Value::Null)]);
    fixture.holds_only(&[]);
}
