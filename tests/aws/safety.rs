//! Protection of the account when something outside of the bake goes wrong.

use std::time::Duration;

use ami_bake_testkit::test_dir::signal;

use crate::fixture::{Fixture, WEB, finish};

#[test]
fn a_machine_terminates_itself_when_its_runner_is_lost() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine: {{lifetime: 2h}}\n    build:\n      - run: echo armed > /opt/armed; sleep 3600\n"
    ));
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_file("/opt/armed");
    child.kill().unwrap();
    child.wait().unwrap();
    fixture.cloud.advance(Duration::from_hours(2));
    fixture.until_terminated();
    fixture.run(&["sweep", "--yes"]).exits(0);
    fixture.holds_only(&[]);
}

#[test]
fn only_the_runner_may_reach_the_machine() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: true\n"));
    fixture.run(&["bake", "--until", "validate"]).exits(0);
    let calls = fixture.cloud.calls();
    let opened: Vec<String> = calls
        .iter()
        .filter(|call| call["action"] == "AuthorizeSecurityGroupIngress")
        .map(|call| call["parameters"].to_string())
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(opened[0].contains("127.0.0.1/32") && opened[0].contains("22"), "{opened:?}");
    assert!(!opened[0].contains("0.0.0.0/0"), "{opened:?}");
}

#[test]
fn a_policy_of_the_manifest_gets_a_role_for_the_bake_alone() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine:\n      policy: '{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Allow\", \"Action\": \"s3:GetObject\", \"Resource\": \"*\"}}]}}'\n    build:\n      - run: echo hello > /opt/hello\n"
    ));
    fixture.bake().exits(0);
    let actions = fixture.cloud.actions();
    assert!(actions.iter().any(|action| action == "CreateRole"), "{actions:?}");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn user_data_of_the_manifest_is_joined_with_the_bakes_own() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine:\n      user-data: |\n        #!/bin/sh\n        echo from user data > /opt/user-data\n    build:\n      - run: grep -q 'from user data' /opt/user-data\n"
    ));
    fixture.run(&["bake", "--until", "validate"]).exits(0);
    fixture.holds_only(&[]);
}

#[test]
fn a_jump_host_leads_to_the_machine() {
    // The jump host is the machine of an earlier bake, which was kept.
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: exit 1\n"));
    let outcome = fixture.run(&["bake", "--keep-on-failure"]).exits(5);
    let line = outcome.stderr.lines().find(|line| line.contains("ssh -i ")).unwrap();
    let host = line.split_whitespace().find_map(|word| word.strip_prefix("ubuntu@")).unwrap();
    let key = line.split("ssh -i ").nth(1).unwrap().split_whitespace().next().unwrap();
    let through = |user: &str, timeout: &str| {
        let jump = format!("{{host: {host}, user: {user}, key: {key}, host-key: accept-new}}");
        let manifest = format!(
            "{WEB}    machine: {{connect: {{timeout: {timeout}, jump: {jump}}}}}\n    build:\n      - run: true\n"
        );
        fixture.write("bake.yml", &manifest);
        fixture.run(&["bake", "--until", "validate"])
    };
    through("ubuntu", "2m").exits(0);
    // This user can't log in, so the connection does lead through the jump host.
    through("nobody", "5s").exits(5).says(host);
}

#[test]
fn an_unreachable_endpoint_is_reported() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: sleep 2\n"));
    let child = fixture.command(&["plan"]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").spawn().unwrap();
    finish(child).exits(4).says("can't be reached").says("AWS_ENDPOINT_URL");
}

#[test]
fn without_credentials_it_says_where_they_come_from() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: true\n"));
    let child =
        fixture.command(&["plan"]).env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").spawn().unwrap();
    finish(child).exits(4).says("credentials");
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: sleep 3600\n"));
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.until_running();
    // The clean-up of the first interrupt never gets an answer.
    let cleaning_up = fixture.cloud.hold_answer("TerminateInstances");
    signal(&child, "INT");
    cleaning_up.until_reached();
    signal(&child, "INT");
    finish(child).exits(130).says("Quitting now");
}

/// A machine whose `tar` answers with an archive of its own: a link in place of the requested folder, and files through
/// it.
#[test]
fn a_machine_does_not_choose_where_a_download_goes() {
    let evil = r"mkdir -p /opt/e /var/lib/logs && cd /opt/e && echo one > /var/lib/one
          ln -s ../.git/hooks logs && ln -s .git/hooks/pre-commit one && tar -cf /opt/logs.tar logs && tar -cf /opt/one.tar one
          rm logs one && mkdir logs && echo evil > logs/pre-commit && tar -rf /opt/logs.tar logs/pre-commit
          printf '#!/bin/sh\nfor last; do :; done; exec cat /opt/$last.tar\n' > /usr/bin/tar && chmod 755 /usr/bin/tar";
    let fixture = Fixture::new(&format!(
        "{WEB}    build:\n      - run: |\n          {evil}\n      - {{download: /var/lib/logs, to: out, on-failure: continue}}\n      - {{download: /var/lib/logs/, to: logs, on-failure: continue}}\n      - {{download: /var/lib/one, to: one}}\n"
    ));
    fixture.write(".git/hooks/sample", "");
    let outcome = fixture.run(&["bake", "--until", "validate"]).exits(5);
    outcome
        .says("download `/var/lib/logs` from the machine")
        .says("`logs` is not a folder")
        .says("`one` is not a file");
    let names = |path: &str| std::fs::read_dir(fixture.path(path)).unwrap().count();
    assert_eq!(names(".git/hooks"), 1);
    for path in ["out", "logs", "one"] {
        assert!(fixture.path(path).symlink_metadata().is_err(), "{path} is there");
    }
}
