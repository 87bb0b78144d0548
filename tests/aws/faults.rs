//! Failures: the exit code, the message, and that nothing is left.

use serde_json::json;

use crate::fixture::{Fixture, WEB, finish};

fn web() -> Fixture {
    Fixture::new(&format!(
        "{WEB}    machine: {{type: [t3.small, t3a.small]}}\n    build:\n      - run: echo hello > /opt/hello\n"
    ))
}

#[test]
fn a_failing_step_says_what_it_printed() {
    let fixture = Fixture::new(&format!(
        "{WEB}    build:\n      - name: Break\n        run: |\n          echo before\n          echo 'no such luck' >&2\n          exit 42\n"
    ));
    fixture.bake().exits(5).says("Break").says("42").says("no such luck").says("bake.yml:");
    fixture.holds_only(&[]);
}

#[test]
fn a_failing_test_leaves_no_image_and_no_snapshot() {
    let fixture =
        Fixture::new(&format!("{WEB}    test:\n      - expect: {{file: /opt/nothing}}\n        timeout: 2s\n"));
    fixture.bake().exits(6).says("/opt/nothing");
    fixture.holds_only(&[]);
}

#[test]
fn a_slow_step_is_killed() {
    let fixture =
        Fixture::new(&format!("{WEB}    build:\n      - name: Sleep\n        run: sleep 600\n        timeout: 2s\n"));
    fixture.bake().exits(5).says("Sleep").says("2s");
    fixture.holds_only(&[]);
}

const UNLUCKY: &str = r#"schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Code, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [exit 255]}}
      - {name: Background, action: ExecuteBash, inputs: {commands: ['sleep 3000 &', 'read x || echo nothing is said to it']}}
      - name: Slow
        action: ExecuteBash
        timeoutSeconds: 2
        onFailure: Ignore
        inputs: {commands: ['setsid sleep 3001 &', '(trap "" TERM; sleep 3002); sleep 3002']}
      - {name: Left, action: ExecuteBash, inputs: {commands: ['pgrep -f "^sleep 300[12]" && exit 1; echo none of it is left']}}
      - name: Cut
        action: ExecuteBash
        onFailure: Ignore
        inputs:
          commands:
            - |
              p=$$
              while [ "$p" -gt 1 ]; do
                case $(cat /proc/$p/comm) in sshd*) kill -9 "$p"; sleep 3003 ;; esac
                p=$(awk '{print $4}' /proc/$p/stat)
              done
      - {name: After, action: ExecuteBash, inputs: {commands: ['echo it goes on']}}
"#;

/// Failures of a document over SSH end with a clear message: status 255, a background process, a time-out, a lost
/// connection.
#[test]
fn failures_of_a_document_are_explained() {
    let fixture = Fixture::new(&format!("{WEB}    build: [{{component: web.yml}}]\n"));
    fixture.write("web.yml", UNLUCKY);
    let baked = fixture.bake().exits(0);
    for text in [
        "web.yml:5: the phase `build` failed at the step `Code` (ExecuteBash): exited with status 255; ignored",
        "nothing is said to it",
        "at the step `Slow` (ExecuteBash): it was still running after 2s and was killed; ignored",
        "none of it is left",
        "at the step `Cut` (ExecuteBash): the connection to the machine was lost",
        "it goes on",
        "web.yml: 3 steps passed, 3 failed and ignored",
    ] {
        assert!(baked.stderr.contains(text), "{text:?} is not in\n{}", baked.stderr);
    }
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_wrong_host_key_is_refused() {
    let fixture = web();
    fixture.cloud.fault(&json!({"kind": "wrong-host-key", "times": 9}));
    fixture.bake().exits(5).says("host key");
    fixture.holds_only(&[]);
}

#[test]
fn without_capacity_the_next_type_is_used() {
    let fixture = web();
    let error = json!({"code": "InsufficientInstanceCapacity", "message": "We currently do not have sufficient t3.small capacity in the Availability Zone you requested.", "http": 500});
    fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": 99, "match": {"instance_type": "t3.small"}, "error": error}));
    fixture.bake().exits(0);
    assert!(fixture.cloud.instances().iter().all(|instance| instance["type"] == "t3a.small"));
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn without_any_capacity_the_bake_ends() {
    let fixture = web();
    let error = json!({"code": "InsufficientInstanceCapacity", "message": "We currently do not have sufficient capacity.", "http": 500});
    fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": 999, "error": error}));
    fixture.bake().exits(5).says("t3.small").says("t3a.small").says("capacity");
    fixture.holds_only(&[]);
}

#[test]
fn a_machine_that_dies_while_it_starts_is_followed_by_another() {
    let fixture = web();
    let reason = json!({"code": "Server.InsufficientInstanceCapacity", "message": "Server.InsufficientInstanceCapacity: There is not enough capacity"});
    fixture.cloud.fault(&json!({"kind": "pending-to-terminated", "times": 1, "state_reason": reason}));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_lost_answer_never_becomes_a_second_machine() {
    let fixture = web();
    fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "RunInstances", "times": 1}));
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.instances().len(), 2, "one to build on, one to test on");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn lost_answers_of_calls_without_a_token_make_nothing_twice() {
    for action in ["CreateSnapshots", "RegisterImage", "CreateSecurityGroup", "ImportKeyPair"] {
        let fixture = web();
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": action, "times": 1}));
        fixture.bake().exits(0);
        fixture.holds_only(&["shop/web/0.1.0"]);
    }
}

#[test]
fn a_missing_permission_is_reported_with_its_statement() {
    let fixture = web();
    fixture.cloud.deny(&["ec2:RunInstances"]);
    fixture.bake().exits(4).says("ec2:RunInstances").says("\"Effect\":\"Allow\"");
    fixture.holds_only(&[]);
}

#[test]
fn throttling_and_stale_answers_are_waited_out() {
    let fixture = web();
    fixture.cloud.fault(&json!({"kind": "throttle", "action": "Describe*", "times": 6}));
    fixture.cloud.fault(&json!({"kind": "throttle", "action": "CreateSnapshots", "times": 2}));
    fixture.cloud.fault(&json!({"kind": "stale", "seconds": 2, "times": 20}));
    fixture.cloud.fault(&json!({"kind": "not-found-at-first", "seconds": 1}));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_failed_snapshot_is_reported_and_deleted() {
    let fixture = web();
    fixture.cloud.fault(&json!({"kind": "snapshot-error", "message": "Given key ID is not accessible"}));
    fixture.bake().exits(5).says("Given key ID is not accessible");
    fixture.holds_only(&[]);
}

#[test]
fn a_lost_connection_is_not_an_exit_status() {
    let step = "echo begun > /opt/begun; sleep 3600";
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - name: Long\n        run: {step}\n"));
    let ssh = fixture.cloud.hold_ssh();
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_file("/opt/begun");
    ssh.release();
    finish(child).exits(5).says("Long").says("connection");
    fixture.holds_only(&[]);
}
