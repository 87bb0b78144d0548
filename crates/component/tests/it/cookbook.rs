//! The examples of AWS's own cookbook for AWSTOE, rewritten: a tolerated failure, a restart, a condition, a loop.

use std::sync::atomic::Ordering;

use ami_bake_core::plan::Phase;

use crate::fixture::Fixture;

const BOTH: [Phase; 2] = [Phase::Build, Phase::Validate];

#[tokio::test]
async fn a_step_that_may_fail() {
    let mut fixture = Fixture::new().await;
    let outcome = fixture
        .document(
            "name: tolerated\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Optional\n        action: ExecuteBash\n        onFailure: Ignore\n        inputs: {commands: [test -e /no-such-package]}\n      - name: Required\n        action: ExecuteBash\n        inputs: {commands: [echo works]}\n",
            &BOTH,
            &[],
        )
        .await;
    assert!(
        outcome.told.iter().any(|line| line.contains("`Optional`") && line.ends_with("; ignored")),
        "{:?}",
        outcome.told
    );
    assert_eq!(outcome.passes(), "works\n");
}

#[tokio::test]
async fn a_restart_from_within_a_script() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .document(
            r"
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: InstallThenReboot
        action: ExecuteBash
        inputs:
          commands:
            - |
              if [ -f /var/tmp/mark ]; then rm -f /var/tmp/mark; exit 0; fi
              touch /var/tmp/mark
              exit 194
      - {name: After, action: ExecuteBash, inputs: {commands: [echo after]}}
  - name: validate
    steps:
      - {name: Clean, action: ExecuteBash, inputs: {commands: [test ! -f /var/tmp/mark]}}
",
            &BOTH,
            &[],
        )
        .await
        .passes();
    assert_eq!((text.as_str(), fixture.machine.reboots.load(Ordering::Relaxed)), ("after\n", 1));
}

#[tokio::test]
async fn one_component_for_several_distributions() {
    let mut fixture = Fixture::new().await;
    let step = |name: &str, tool: &str| {
        format!(
            "      - name: {name}\n        action: ExecuteBash\n        if: {{and: [{{binaryExists: {tool}}}, {{not: {{binaryExists: unheard-of}}}}]}}\n        inputs: {{commands: [echo {tool}]}}\n"
        )
    };
    let document = format!(
        "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{}{}",
        step("WithDnf", "dnf-that-is-not-there"),
        step("WithAptGet", "apt-get")
    );
    let outcome = fixture.document(&document, &BOTH, &[]).await;
    assert!(outcome.told.last().unwrap().ends_with("1 step passed, 1 skipped"), "{:?}", outcome.told);
    assert_eq!(outcome.passes(), "apt-get\n");
}

#[tokio::test]
async fn a_step_for_each_entry() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build("- name: Install\n  action: ExecuteBash\n  loop: {forEach: {list: 'jq,tar,gzip', delimiter: ','}}\n  inputs: {commands: ['echo \"{{ loop.value }}\"']}\n")
        .await
        .passes();
    assert_eq!(text, "jq\ntar\ngzip\n");
}
