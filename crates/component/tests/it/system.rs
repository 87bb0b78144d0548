//! Tests of restarts, programs, updates and nested documents.

use std::sync::atomic::Ordering;

use crate::fixture::Fixture;

#[tokio::test]
async fn restarts_come_back_to_where_they_were_asked_for() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build(
            r#"
- name: Again
  action: ExecuteBash
  inputs:
    commands:
      - |
        if [ -e /opt/been ]; then echo back; exit 0; fi
        touch /opt/been; echo first
        exit 194
- {name: Plain, action: Reboot}
- {name: Delayed, action: Reboot, maxAttempts: 2, inputs: {delaySeconds: 0}}
- {name: Said, action: ExecuteBash, inputs: {commands: ["echo '{{ build.Again.outputs.stdout }}'"]}}
"#,
        )
        .await
        .passes();
    assert_eq!((text.as_str(), fixture.machine.reboots.load(Ordering::Relaxed)), ("first\nback\nback\n", 3));
    let endless = "- {name: Endless, action: ExecuteBinary, inputs: {path: /bin/sh, arguments: [-c, exit 194]}}";
    let error = fixture.build(endless).await.fails();
    assert!(error.contains("it asked for more than 15 restarts"), "{error}");
}

#[tokio::test]
async fn programs_get_their_arguments_as_they_are() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build(
            r#"
- {name: Found, action: ExecuteBinary, inputs: {path: printf, arguments: ["%s|", "a b", "it's", "$HOME", ""]}}
- {name: Told, action: ExecuteBinary, inputs: {path: echo, arguments: ["{{ build.Found.outputs.stdout }}"]}}
"#,
        )
        .await
        .passes();
    assert_eq!(text, "a b|it's|$HOME||\na b|it's|$HOME||\n");
    let error = fixture.build("- {name: A, action: ExecuteBinary, inputs: {path: /opt/none}}").await.fails();
    assert!(error.contains("exited with status 127 (a command was not found)"), "{error}");
}

/// Package managers that only print their arguments.
const TOOLS: &str = r#"mkdir -p /usr/local/sbin; cd /usr/local/sbin
printf '#!/bin/sh\necho apt-get "$*"\n' >apt-get
printf '#!/bin/sh\n[ "$1" != showhold ] || { echo held; exit; }; echo apt-mark "$*"\n' >apt-mark
printf '#!/bin/sh\necho yum "$*"\n' >yum; chmod 755 apt-get apt-mark yum"#;

#[tokio::test]
async fn updates_are_asked_of_the_package_manager() {
    let mut fixture = Fixture::new().await;
    fixture.sh(TOOLS).await;
    let force = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold";
    let text = fixture.build("- {name: All, action: UpdateOS}").await.passes();
    assert_eq!(text, format!("apt-get update\napt-get -y {force} upgrade\n"));
    let text =
        fixture.build("- {name: Some, action: UpdateOS, inputs: {include: [a, b], exclude: [b]}}").await.passes();
    assert_eq!(text, format!("apt-get update\napt-get -y {force} install --only-upgrade a\n"));
    let text = fixture.build("- {name: Not, action: UpdateOS, inputs: {exclude: [a, held]}}").await.passes();
    assert_eq!(text, format!("apt-get update\napt-mark hold a\napt-get -y {force} upgrade\napt-mark unhold a\n"));
    fixture.sh("mv /usr/local/sbin/apt-get /usr/local/sbin/none; rm -f /usr/bin/apt-get").await;
    let text = fixture.build("- {name: Yum, action: UpdateOS, inputs: {exclude: [kernel*]}}").await.passes();
    assert_eq!(text, "yum -y --exclude=kernel* update\n");
    fixture.sh("rm /usr/local/sbin/yum").await;
    let error = fixture.build("- {name: None, action: UpdateOS}").await.fails();
    assert!(error.contains("neither apt-get nor dnf nor yum"), "{error}");
}

const INNER: &str = "schemaVersion: 1.0\nparameters: [{Who: {type: string, default: nobody}}]\nphases:\n  - name: build\n    steps:\n      - {name: Say, action: ExecuteBash, inputs: {commands: ['echo hello {{ Who }}']}}\n  - name: test\n    steps:\n      - {name: Fail, action: ExecuteBash, inputs: {commands: [exit 4]}}\n";

#[tokio::test]
async fn documents_run_documents() {
    let mut fixture = Fixture::new().await;
    fixture.store.put("s3://b/inner.yml", INNER.as_bytes());
    std::fs::write(fixture.shell.path("/opt/inner.yml"), INNER).unwrap();
    let text = fixture
        .build(
            r#"
- name: Both
  action: ExecuteDocument
  loop: {name: which, forEach: [/opt/inner.yml, "s3://b/inner.yml"]}
  inputs: {document: "{{ which.value }}", phases: build, parameters: [{name: Who, value: you}]}
- {name: Told, action: ExecuteBash, inputs: {commands: ["echo '{{ build.Both.outputs.status }}' | head -1"]}}
"#,
        )
        .await
        .passes();
    assert_eq!(text, "hello you\nhello you\nsuccess\n");
    let run = |inputs: &str| format!("- {{name: A, action: ExecuteDocument, inputs: {inputs}}}");
    let error = fixture.build(&run("{document: /opt/inner.yml}")).await.fails();
    assert!(error.contains("(ExecuteDocument): /opt/inner.yml:9: the phase `test` failed at the step `Fail` (ExecuteBash): exited with status 4"), "{error}");
    let error = fixture.build(&run("{document: /opt/inner.yml, phases: 'validate'}")).await.fails();
    assert!(error.contains("has no phase `validate`"), "{error}");
    let own = crate::fixture::build(&run("{document: /opt/self.yml}"));
    std::fs::write(fixture.shell.path("/opt/self.yml"), own).unwrap();
    let error = fixture.build(&run("{document: /opt/self.yml}")).await.fails();
    assert!(error.contains("the document `/opt/self.yml` would run itself"), "{error}");
    std::fs::write(fixture.shell.path("/opt/bad.yml"), "schemaVersion: 1.0\nphases: x\n").unwrap();
    let error = fixture.build(&run("{document: /opt/bad.yml}")).await.fails();
    assert!(error.contains("/opt/bad.yml:2:9: `phases` has to be a list, not text"), "{error}");
}
