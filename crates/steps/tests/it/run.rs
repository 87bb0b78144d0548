//! Tests of `run` and `script`.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::plan::{RunStep, ScriptStep, SecretPart, StepAction, Value};
use ami_bake_testkit::shell::{Ending, HostShell};

use crate::fixture::{Fixture, script, step, whole, with_env};

/// Files that the loader could have left on the machine.
fn leftovers(fixture: &Fixture) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["/dev/shm", "/run", "/tmp", "/var/tmp"] {
        for entry in std::fs::read_dir(fixture.shell.path(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with(".ami-bake.") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_script_that_begins_with_cat_goes_on() {
    let fixture = Fixture::new();
    let (result, output) = fixture.apply(&script("cat\necho after\necho err >&2\nread -r x || echo empty")).await;
    result.unwrap();
    assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("after\nempty\n", "err\n"));
}

#[tokio::test]
async fn it_runs_in_strict_bash_as_root_in_the_root_folder() {
    let fixture = Fixture::new();
    let text = fixture.passes(&script("echo $BASH_VERSION | grep -c .; pwd; id -u; umask; echo $HOME; echo $-; set -o | grep pipefail; ls -l /proc/self/fd | grep -c ami-bake || true")).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..5], ["1", "/", "0", "0022", "/root"]);
    assert!(lines[5].contains('e') && lines[5].contains('u'), "{text}");
    assert!(lines[6].contains("on"), "{text}");
    assert_eq!(lines[7], "0", "no program inherits the script's file: {text}");
    assert_eq!(fixture.passes(&script("\necho $LINENO")).await, "2\n");
    let error = fixture.fails(&script("false\necho no")).await;
    assert!(whole(&error).starts_with("step `it`: the script exited with status 1 | "), "{}", whole(&error));
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0]");
}

#[tokio::test]
async fn the_environment_arrives_as_it_is() {
    let values = [
        ("QUOTES", "it's \"quoted\" $HOME `id` \\ \\n"),
        ("LINES_", "a\nb\n\n"),
        ("UTF", "Grüße 🥐 \u{81}\u{88}"),
        ("EMPTY", ""),
        ("IFS", ":/ab"),
        ("DASH", "-n"),
    ];
    for shell in [None, Some("sh -eu".to_owned())] {
        let fixture = Fixture::new();
        let text = "printf '%s|' \"$QUOTES\" \"$LINES_\" \"$UTF\" \"$EMPTY\" \"$DASH\"";
        let run = StepAction::Run(RunStep { script: text.to_owned(), shell, user: None, working_directory: None });
        let seen = fixture.passes(&with_env(step(run), &values)).await;
        let of = |name: &str| values.iter().find(|(key, _)| *key == name).unwrap().1;
        let expected = ["QUOTES", "LINES_", "UTF", "EMPTY", "DASH"].map(of).join("|") + "|";
        assert_eq!(seen, expected);
    }
    let fixture = Fixture::new();
    let error = fixture.fails(&with_env(script("true"), &[("A", "x\0y")])).await;
    assert!(error.message().contains("`A` contains a NUL character"), "{error}");
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].env.A");
}

#[tokio::test]
async fn secrets_are_on_no_command_line_and_masked_in_errors() {
    let secret = "tOp-s3cret-Walnut";
    let fixture = Fixture::with(&[("TOKEN", secret)], HostShell::bare());
    // The script looks at every process of the machine, at the files of the loader, and at its own environment.
    let text = "env | grep -c Walnut\n\
                cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'Wal[n]ut' || true\n\
                ! ls -d /dev/shm/.ami-bake.* 2>/dev/null; echo \"bad $AUTH\" >&2; exit 3";
    let mut step = script(text);
    step.env = vec![(
        "AUTH".to_owned(),
        Value::Secret(vec![SecretPart::Text("user:".to_owned()), SecretPart::Name("TOKEN".to_owned())]),
    )];
    let (result, output) = fixture.apply(&step).await;
    let error = result.unwrap_err();
    assert!(output.stdout_text().starts_with("1\n0\n"), "{}", output.stdout_text());
    assert!(output.stderr_text().contains(&format!("bad user:{secret}")), "the live output is masked by who shows it");
    let text = whole(&error);
    assert!(text.contains("status 3 | the last line of its standard error: bad ***"), "{text}");
    assert!(!text.contains("Walnut"), "{text}");
    assert!(
        fixture.shell.commands.lock().unwrap().iter().all(|line| !line.contains("Walnut") && !line.contains("exit 3"))
    );

    step.env = vec![("AUTH".to_owned(), Value::Secret(vec![SecretPart::Name("OTHER".to_owned())]))];
    let error = fixture.fails(&step).await;
    assert!(error.message().contains("the secret `OTHER`, used in `AUTH`, has no value"), "{error}");
}

#[tokio::test]
async fn the_four_ends_are_four_messages_and_leave_nothing() {
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    let said = "echo one >&2; echo two >&2; ";
    let status = whole(&fixture.fails(&script(&format!("{said} exit 42"))).await);
    assert!(
        status.starts_with(
            "step `it`: the script exited with status 42 | the last lines of its standard error:\n  one\n  two | "
        ),
        "{status}"
    );
    let signal = whole(&fixture.fails(&script(&format!("{said} kill -KILL $$"))).await);
    assert!(signal.starts_with("step `it`: the script was killed by signal KILL | the last lines"), "{signal}");
    assert!(signal.contains("dmesg"), "{signal}");
    let mut slow = script(&format!("{said} sleep 60"));
    slow.timeout = Some(Duration::from_secs(4));
    *fixture.shell.ending.lock().unwrap() = Some(("two\n", Ending::TimedOut));
    let slow = whole(&fixture.fails(&slow).await);
    assert!(slow.starts_with("step `it`: the script was still running after 4s and was killed | the last"), "{slow}");
    *fixture.shell.ending.lock().unwrap() = Some(("two\n", Ending::Lost));
    let lost = whole(&fixture.fails(&script(&format!("{said} sleep 60"))).await);
    assert!(lost.starts_with("step `it`: the connection to the machine was lost while the script ran (broken pipe); its outcome is unknown | the last"), "{lost}");
    assert!(lost.contains("`- reboot: true`"), "{lost}");
    let missing = whole(&fixture.fails(&script("no-such-command")).await);
    assert!(missing.contains("status 127 (a command was not found) | "), "{missing}");
    assert_eq!(leftovers(&fixture), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_machine_lacks_is_named() {
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    let make = |shell: Option<&str>, user: Option<&str>, folder: Option<&str>| {
        step(StepAction::Run(RunStep {
            script: "echo no".to_owned(),
            shell: shell.map(str::to_owned),
            user: user.map(str::to_owned),
            working_directory: folder.map(str::to_owned),
        }))
    };
    let (result, output) = fixture.apply(&make(Some("fish -x"), None, None)).await;
    assert_eq!(output.stdout_text() + &output.stderr_text(), "", "the driver's word is not output");
    let error = result.unwrap_err();
    assert_eq!(error.message(), "step `it`: the machine has no `fish` to run the script with");
    assert!(error.help_text().unwrap().contains("`shell: sh -eu`"));
    let error = fixture.fails(&make(None, Some("nobody-such"), None)).await;
    assert_eq!(error.message(), "step `it`: the machine has no user `nobody-such`");
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].as");
    let error = fixture.fails(&make(None, None, Some("/no/such"))).await;
    assert_eq!(error.message(), "step `it`: `/no/such` is not a folder on the machine");
    assert_eq!(leftovers(&fixture), Vec::<String>::new());
}

#[tokio::test]
async fn it_runs_as_another_user_in_a_folder() {
    let fixture = Fixture::new();
    let action = StepAction::Run(RunStep {
        script: "id -un; id -gn; echo $HOME $USER; pwd; echo $A; cat; exit 0".to_owned(),
        shell: None,
        user: Some("daemon".to_owned()),
        working_directory: Some("/var".to_owned()),
    });
    let text = fixture.passes(&with_env(step(action), &[("A", "a b")])).await;
    assert_eq!(text, "daemon\ndaemon\n/usr/sbin daemon\n/var\na b\n");
}

#[tokio::test]
async fn a_script_file_keeps_its_shebang_its_arguments_and_its_lines() {
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, content: &[u8], shell: Option<&str>, args: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        step(StepAction::Script(ScriptStep {
            path,
            args: args.iter().map(ToString::to_string).collect(),
            shell: shell.map(str::to_owned),
            user: None,
            working_directory: None,
        }))
    };
    let python = b"#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:], sys.stdin.read() == '')\n";
    assert_eq!(fixture.passes(&make("a.py", python, None, &["it's", "", "-x"])).await, "[\"it's\", '', '-x'] True\n");
    let sh = b"#!/bin/sh\ncase $- in *e*) echo strict $1;; *) echo plain $1;; esac\n";
    assert_eq!(fixture.passes(&make("a.sh", sh, None, &["x"])).await, "plain x\n");
    assert!(fixture.passes(&make("b", b"echo $BASH_VERSION", None, &[])).await.contains('.'));
    let placed = fixture.passes(&make("c", b"print(1)", Some("env python3 -B {0}"), &[])).await;
    assert_eq!(placed, "1\n");
    let elf = std::fs::read("/bin/echo").unwrap();
    assert_eq!(fixture.passes(&make("echo", &elf, None, &["from", "a program"])).await, "from a program\n");
    let long = format!("#!/bin/sh\n: '{}'\necho end\n", "x".repeat(3 << 20));
    assert_eq!(fixture.passes(&make("long", long.as_bytes(), None, &[])).await, "end\n");

    let gone = step(StepAction::Script(ScriptStep {
        path: folder.path().join("none"),
        args: Vec::new(),
        shell: None,
        user: None,
        working_directory: None,
    }));
    let error = fixture.fails(&gone).await;
    assert!(error.message().starts_with("could not read the script `"), "{error}");
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].script");
    assert_eq!(leftovers(&fixture), Vec::<String>::new());
}

#[tokio::test]
async fn half_a_script_does_not_run() {
    use ami_bake_core::communicator::{Communicator as _, Exec};
    let fixture = Fixture::new();
    fixture.passes(&script("true")).await;
    let loader = fixture.shell.commands.lock().unwrap()[0].clone();
    let mut output = ami_bake_core::output::Collect::default();
    let input = b"#100        200                 \necho half\n";
    let exit = fixture.shell.exec(Exec::new(&loader).stdin(input), &mut output).await.unwrap();
    assert_eq!(exit, ami_bake_core::communicator::Exit::Status(125));
    assert_eq!(output.stdout_text(), "");
    assert_eq!(output.stderr_text(), "ami-bake: the script was cut off in transfer\n");
}

#[tokio::test]
async fn a_cancelled_run_stops() {
    let fixture = Arc::new(Fixture::new());
    let cancel = fixture.run.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    });
    let error = fixture.fails(&script("sleep 3600")).await;
    assert_eq!(error.kind(), ami_bake_core::ErrorKind::Cancelled);
}
