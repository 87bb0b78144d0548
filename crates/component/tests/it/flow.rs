//! Tests of parameters, references, loops, conditions, attempts and time limits.

use ami_bake_core::plan::Phase;

use ami_bake_testkit::shell::Ending;

use crate::fixture::{Fixture, build};

const VARIABLES: &str = r#"
schemaVersion: "1.0"
parameters:
  - Greeting: {type: string, default: hi, description: what is said}
  - Who: {type: string}
constants:
  - Mark: {type: string, value: "!"}
  - Code: {type: string, value: 3}
phases:
  - name: validate
    steps:
      - name: Chained
        action: ExecuteBash
        inputs: {commands: ["echo 'again {{ build.Say.outputs.stdout }}'"]}
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs:
          commands:
            - echo "{{ Greeting }} {{Who}}{{ Mark }}"
            - echo "{{ Greeting }}" >&2
      - name: Others
        action: ExecuteBash
        inputs:
          commands:
            - echo '{{ env:GREETING }} {{ env:IMAGE_PHASE }} {{ context:phase }}/{{ context:step }} {{ context:osPlatform }} {{ aws:ssm:/app/token }}'
            - echo '{{ build.Say.inputs.commands[1] }} {{ .Names }} {{ loop.value }} ${X} {{ json . }}'
"#;

#[tokio::test]
async fn references_are_replaced_by_what_they_stand_for() {
    let mut fixture = Fixture::new().await;
    let with = [("Who", "it's"), ("Greeting", "a {{ Mark }}")];
    let outcome = fixture.document(VARIABLES, &[Phase::Build], &with).await;
    assert!(outcome.told.contains(&"build: Say (ExecuteBash)".to_owned()), "{:?}", outcome.told);
    // The value of a reference is not searched for references.
    assert_eq!(
        outcome.passes(),
        "a {{ Mark }} it's!\nhello BUILDING build/Others linux from-the-store\necho \"a {{ Mark }}\" >&2 {{ .Names }} {{ loop.value }} ${X} {{ json . }}\n"
    );
    assert_eq!(fixture.run.masker().mask("x from-the-store"), "x ***");
    // The next phase is another step of the manifest, on the same machine.
    let outcome = fixture.document(VARIABLES, &[Phase::Validate], &with).await;
    assert!(
        outcome.fails().contains("exited with status"),
        "a quote in a value is the script's own matter, as in AWSTOE"
    );
    let with = [("Who", "you"), ("Greeting", "hi")];
    let error = fixture.document(VARIABLES, &[Phase::Validate], &with).await.fails();
    assert!(error.contains("the step `Say` of `build` did not run on this machine"), "{error}");
    fixture.document(VARIABLES, &[Phase::Build], &with).await.passes();
    assert_eq!(fixture.document(VARIABLES, &[Phase::Validate], &with).await.passes(), "again hi you!\n");
    let error = fixture
        .build("- {name: A, action: ExecuteBash, inputs: {commands: ['echo {{ aws:ssm:/app/key }}']}}")
        .await
        .fails();
    assert!(error.contains("several lines"), "{error}");
}

#[tokio::test]
async fn loops_take_every_turn() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build(
            r#"
- name: Down
  action: ExecuteBash
  loop: {for: {start: 5, end: 1, updateBy: -2}}
  inputs: {commands: ["echo {{ loop.index }}={{ loop.value }}"]}
- name: Each
  action: CreateFile
  loop: {name: file, forEach: ["a", "{{ build.Down.outputs.stdout }}"]}
  inputs: [{path: "/opt/{{ file.index }}", content: "{{ file.value }}"}]
- name: Split
  action: ExecuteBash
  loop: {name: part, forEach: {list: "x;y z;", delimiter: ";"}}
  inputs: {commands: ["printf '<%s>' '{{ part.value }}'"]}
- name: Joined
  action: ExecuteBash
  inputs: {commands: ["echo; echo '{{ build.Split.outputs.stdout }}'; cat /opt/0 /opt/1"]}
"#,
        )
        .await
        .passes();
    assert_eq!(text, "0=5\n1=3\n2=1\n<x>\n<y z>\n<>\n\n<x>\n<y z>\n<>\na0=5\n1=3\n2=1\n");
    let failing = r#"
- name: Some
  action: ExecuteBash
  maxAttempts: 2
  loop: {forEach: [1, 0, 2, 0]}
  inputs: {commands: ["echo turn {{ loop.index }}; exit {{ loop.value }}"]}
"#;
    let outcome = fixture.build(failing).await;
    // All iterations run, and an attempt covers all of them.
    assert_eq!(outcome.stdout.matches("turn 3").count(), 2, "{}", outcome.stdout);
    let error = outcome.fails();
    assert!(
        error.contains("(ExecuteBash): iterations 0, 2 of 4 failed, first failure: exited with status 1"),
        "{error}"
    );
}

#[tokio::test]
async fn conditions_decide_what_becomes_of_a_step() {
    let mut fixture = Fixture::new().await;
    fixture.sh("printf abc >/opt/abc").await;
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    let text = fixture
        .build(&format!(
            r#"
- {{name: Version, action: ExecuteBash, inputs: {{commands: [echo 2.10]}}}}
- name: Run
  action: ExecuteBash
  if: {{and: [{{numberGreaterThan: 2.9, value: "{{{{ build.Version.outputs.stdout }}}}"}}]}}
  inputs: {{commands: [echo no]}}
- name: Matched
  action: ExecuteBash
  if: [{{patternMatches: '^\d+\.10$', value: "{{{{ build.Version.outputs.stdout }}}}"}}]
  inputs: {{commands: [echo matched]}}
- name: Turned
  action: ExecuteBash
  if: {{fileMD5Equals: {md5}, path: /opt/abc, then: Skip, else: Execute}}
  inputs: {{commands: [echo no]}}
- {{name: Holds, action: Assert, inputs: {{or: [{{fileSHA1Equals: x, path: /opt/none}}, {{not: {{stringIsEmpty: x}}}}]}}}}
"#
        ))
        .await;
    assert!(text.told.iter().any(|line| line == "build: skipped Run"), "{:?}", text.told);
    assert_eq!(text.passes(), "2.10\nmatched\n");
    let error = fixture.build("- {name: A, action: Assert, inputs: {fileExists: /opt}}").await.fails();
    assert!(error.contains("(Assert): the assertion is false"), "{error}");
    let steps = "- {name: A, action: ExecuteBash, if: {folderExists: /opt, then: Abort}, inputs: {commands: [id]}}";
    let error = fixture.build(steps).await.fails();
    assert!(error.contains("its `if` is true, which means `Abort`"), "{error}");
}

#[tokio::test]
async fn a_failure_means_what_on_failure_says() {
    let mut fixture = Fixture::new().await;
    let steps = |on: &str| {
        build(&format!(
            "- {{name: Bad, action: ExecuteBash, onFailure: {on}, inputs: {{commands: ['echo why >&2', 'exit 7']}}}}\n\
             - {{name: After, action: ExecuteBash, inputs: {{commands: [echo after]}}}}"
        ))
    };
    for (on, fails, after) in [("Abort", true, false), ("Continue", true, true), ("Ignore", false, true)] {
        let outcome = fixture.document(&steps(on), &[Phase::Build], &[]).await;
        assert_eq!((outcome.result.is_err(), outcome.stdout.contains("after")), (fails, after), "{on}");
        if fails {
            let error = outcome.fails();
            assert!(
                error.contains("web.yml:5: the phase `build` failed at the step `Bad` (ExecuteBash): exited with status 7 | the last line of its standard error: why"),
                "{error}"
            );
        } else {
            assert!(
                outcome.told.last().unwrap().ends_with("1 step passed, 1 failed and ignored"),
                "{:?}",
                outcome.told
            );
        }
    }
    // `errexit` is not set: the last command decides.
    let lax = "- {name: Lax, action: ExecuteBash, inputs: {commands: ['false', 'echo $- | grep -c e || true']}}";
    assert_eq!(fixture.build(lax).await.passes(), "0\n");
}

#[tokio::test]
async fn attempts_and_limits_are_kept() {
    let mut fixture = Fixture::new().await;
    let again = "- {name: Twice, action: ExecuteBash, maxAttempts: 3, inputs: {commands: ['echo try; [ -e /opt/mark ] || { touch /opt/mark; exit 1; }']}}";
    let outcome = fixture.build(again).await;
    assert!(outcome.told.iter().any(|line| line.contains("Twice failed at attempt 1 of 3")), "{:?}", outcome.told);
    assert_eq!(outcome.passes(), "try\ntry\n");
    let over = |fixture: &Fixture| *fixture.shell.ending.lock().unwrap() = Some(("begun\n", Ending::TimedOut));
    over(&fixture);
    let slow = "- {name: Slow, action: ExecuteBash, timeoutSeconds: 1, inputs: {commands: [echo begun; sleep 600]}}";
    let error = fixture.build(slow).await.fails();
    assert!(error.contains("it was still running after 1s") && error.contains("`timeoutSeconds`"), "{error}");
    let mut step = fixture.of(
        &build("- {name: Slow, action: ExecuteBash, timeoutSeconds: -1, inputs: {commands: [echo begun; sleep 600]}}"),
        &[Phase::Build],
        &[],
    );
    step.timeout = Some(std::time::Duration::from_secs(1));
    over(&fixture);
    let error = fixture.step(&step).await.fails();
    assert!(error.contains("it was still running after 1s"), "{error}");
    fixture.run.cancel.cancel();
    let outcome = fixture.build("- {name: A, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [id]}}").await;
    assert_eq!(outcome.result.unwrap_err().kind(), ami_bake_core::ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_quiet_step_shows_nothing_but_puts_out_what_it_said() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build(
            "- {name: Quiet, action: ExecuteBash, disableLogging: true, inputs: {commands: [echo secret]}}\n\
             - {name: Loud, action: ExecuteBash, inputs: {commands: ['echo {{ build.Quiet.outputs.stdout }} | rev']}}",
        )
        .await
        .passes();
    assert_eq!(text, "terces\n");
}

#[tokio::test]
async fn a_lost_connection_is_reported_as_one() {
    let mut fixture = Fixture::new().await;
    *fixture.shell.ending.lock().unwrap() = Some(("begun\n", Ending::Lost));
    let cut = "- {name: Cut, action: ExecuteBash, inputs: {commands: [echo begun; sleep 600]}}";
    let error = fixture.build(cut).await.fails();
    assert!(error.contains("(ExecuteBash): the connection to the machine was lost (broken pipe)"), "{error}");
    assert!(error.contains("end it with `exit 194`"), "{error}");
}
