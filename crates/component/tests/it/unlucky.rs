//! Failure cases: each ends, with a clear message.

use ami_bake_core::plan::Phase;

use crate::fixture::{Fixture, build};

#[tokio::test]
async fn output_of_any_kind_is_output() {
    let mut fixture = Fixture::new().await;
    let outcome = fixture
        .build(
            r#"
- {name: Open, action: ExecuteBash, inputs: {commands: ["printf 'no end'; printf 'nor here' >&2"]}}
- {name: Next, action: ExecuteBash, inputs: {commands: ["printf '<%s>\\n' '{{ build.Open.outputs.stdout }}'"]}}
- {name: Latin, action: ExecuteBash, inputs: {commands: ["printf 'Gr\\374\\337e\\000\\033[31m\\n'"]}}
- {name: Same, action: ExecuteBash, inputs: {commands: ["printf '%s' '{{ build.Latin.outputs.stdout }}' | head -c 2"]}}
- {name: Huge, action: ExecuteBash, disableLogging: true, inputs: {commands: ["yes 0123456789 | head -c 5000000"]}}
- {name: Used, action: ExecuteBash, onFailure: Ignore, inputs: {commands: ["echo '{{ build.Huge.outputs.stdout }}'"]}}
- {name: Reads, action: ExecuteBash, inputs: {commands: ["read x || echo nothing to read; cat"]}}
"#,
        )
        .await;
    assert!(
        outcome
            .told
            .iter()
            .any(|told| told.contains("the step `Huge` has no output `stdout`, or more than 1 MiB of it")),
        "{:?}",
        outcome.told
    );
    let text = outcome.passes();
    assert!(text.starts_with("no end\n<no end>\nGr") && text.ends_with("\nGr\nnothing to read\n"), "{text:?}");
}

#[tokio::test]
async fn a_script_that_ends_badly_is_reported_as_it_ended() {
    let mut fixture = Fixture::new().await;
    let one = |command: &str| format!("- {{name: A, action: ExecuteBash, inputs: {{commands: ['{command}']}}}}");
    for (command, expected) in [
        ("exit 255", "exited with status 255"),
        ("exit 193", "exited with status 193"),
        ("kill -9 $$", "was killed by signal KILL"),
        ("kill -TERM $$", "was killed by signal TERM"),
        ("/opt", "exited with status 126 (found, but not executable)"),
        ("echo why >&2; echo; exit 1", "the last line of its standard error: why | See its output above."),
        ("if", "syntax error"),
    ] {
        let error = fixture.build(&one(command)).await.fails();
        assert!(error.contains(expected) && error.contains("web.yml:5: "), "{command}: {error}");
    }
    // Hidden output is not quoted, and the message names no file of the shell on the machine.
    let quiet =
        "- {name: A, action: ExecuteBash, disableLogging: true, inputs: {commands: [echo wal-nut >&2; exit 1]}}";
    let error = fixture.build(quiet).await.fails();
    assert!(!error.contains("wal-nut") && !error.contains("output above"), "{error}");
    fixture
        .sh("mkdir /opt/small; mount -t tmpfs -o size=64k tmpfs /opt/small; head -c 65536 /dev/zero >/opt/small/x")
        .await;
    for step in [
        "action: CreateFile, inputs: [{path: /opt/small/y, content: hello}]",
        "action: AppendFile, inputs: [{path: /opt/small/x, content: hello}]",
    ] {
        let error = fixture.build(&format!("- {{name: A, {step}}}")).await.fails();
        assert!(error.contains("could not be written: the disk is full") && !error.contains("/dev/fd"), "{error}");
    }
    let error = fixture.build("- {name: A, action: ReadFile, inputs: [{path: /bin/ls}]}").await.fails();
    assert!(error.contains("`/bin/ls` is not valid UTF-8"), "{error}");
    let outcome = fixture
        .build("- {name: A, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [echo why >&2; exit 1]}}")
        .await;
    let told = "exited with status 1: the last line of its standard error: why; ignored";
    assert!(outcome.told.iter().any(|line| line.ends_with(told)), "{:?}", outcome.told);
    fixture.sh("mv /bin/bash /bin/bash.away; rm -f /usr/bin/bash").await;
    let error = fixture.build(&one("id")).await.fails();
    assert!(error.contains("(ExecuteBash): the machine has no `bash`") && error.contains("do not need it"), "{error}");
}

/// `onFailure`, `maxAttempts` and a loop in one step: an attempt covers all iterations, and the outputs of the last
/// attempt count.
#[tokio::test]
async fn a_loop_is_tried_again_as_a_whole() {
    let mut fixture = Fixture::new().await;
    let step = |on: &str| {
        build(&format!(
            r#"
- name: Some
  action: ExecuteBash
  maxAttempts: 2
  onFailure: {on}
  loop: {{forEach: {{list: "{{{{ Parts }}}}", delimiter: "-"}}}}
  inputs: {{commands: ["echo x >>/opt/tries; echo {{{{ loop.index }}}}:{{{{ loop.value }}}}; [ {{{{ loop.value }}}} != bad ]"]}}
- {{name: Said, action: ExecuteBash, inputs: {{commands: ["echo \"said {{{{ build.Some.outputs.stdout }}}}\"; wc -l </opt/tries"]}}}}
"#
        ))
        .replace("phases:", "parameters: [{Parts: {type: string, default: a-bad-c}}]\nphases:")
    };
    let outcome = fixture.document(&step("Continue"), &[Phase::Build], &[]).await;
    let once = "0:a\n1:bad\n2:c\n";
    assert_eq!(outcome.stdout, format!("{once}{once}said 0:a\n2:c\n6\n"));
    assert!(
        outcome
            .told
            .iter()
            .any(|told| told.contains("Some failed at attempt 1 of 2, retrying: iteration 1 of 3 failed")),
        "{:?}",
        outcome.told
    );
    assert!(outcome.told.last().unwrap().ends_with("1 step passed, 1 failed"), "{:?}", outcome.told);
    let error = outcome.fails();
    assert!(error.contains("iteration 1 of 3 failed, first failure: exited with status 1"), "{error}");
    fixture.document(&step("Ignore"), &[Phase::Build], &[]).await.passes();
    let aborted = fixture.document(&step("Abort"), &[Phase::Build], &[]).await;
    assert!(aborted.told.last().unwrap().ends_with("0 steps passed, 1 failed") && !aborted.stdout.contains("said"));
    // The other delimiters, and references to whole inputs.
    for (delimiter, list) in [
        (".", "a.b"),
        (",", "a,b"),
        (";", "a;b"),
        (":", "a:b"),
        ("\\n", "a\\nb"),
        ("\\t", "a\\tb"),
        (" ", "a b"),
        ("_", "a_b"),
    ] {
        let steps = format!(
            "- {{name: S, action: ExecuteBash, loop: {{name: part, forEach: {{list: \"{list}\", delimiter: \"{delimiter}\"}}}}, inputs: {{commands: ['echo {{{{ part.value }}}}', 'true']}}}}\n- {{name: T, action: ExecuteBash, inputs: {{commands: ['echo \"{{{{ build.S.inputs.commands }}}}\"']}}}}"
        );
        assert_eq!(fixture.build(&steps).await.passes(), "a\nb\necho b\ntrue\n", "{delimiter:?}");
    }
    let whole = "- {name: S, action: CreateFile, inputs: [{path: /opt/s}]}\n- {name: T, action: ExecuteBash, inputs: {commands: ['echo {{ build.S.inputs[0] }}']}}";
    let error = fixture.build(whole).await.fails();
    assert!(error.contains("the inputs of `S` have no such entry"), "{error}");
}

#[tokio::test]
async fn a_restart_has_no_limit_of_its_own_but_the_steps() {
    let mut fixture = Fixture::new().await;
    fixture.build("- {name: A, action: Reboot, timeoutSeconds: 1, inputs: {delaySeconds: 2}}").await.passes();
    let mut step =
        fixture.of(&build("- {name: A, action: Reboot, inputs: {delaySeconds: 3600}}"), &[Phase::Build], &[]);
    step.timeout = Some(std::time::Duration::from_secs(1));
    let error = fixture.step(&step).await.fails();
    assert!(error.contains("(Reboot): it was still running after 1s"), "{error}");
    // In a loop only the iteration runs again.
    let text = fixture
        .build("- {name: A, action: ExecuteBash, loop: {forEach: [a, b]}, inputs: {commands: ['[ -e /opt/{{ loop.value }} ] || { touch /opt/{{ loop.value }}; exit 194; }; echo {{ loop.value }}']}}")
        .await
        .passes();
    assert_eq!((text.as_str(), fixture.machine.reboots.load(std::sync::atomic::Ordering::Relaxed)), ("a\nb\n", 3));
}
