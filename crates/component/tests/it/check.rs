//! Findings of `check` about documents, at their own lines and at the step that uses them.

use ami_bake_core::platform::Capabilities;
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};

use crate::fixture::build;

const LOCAL: Capabilities = Capabilities {
    platform: "local",
    source: "local",
    machine: &[],
    publish: &[],
    captures: &[ami_bake_core::plan::CaptureMode::Halted],
    init: false,
    replaces_versions: false,
    services: false,
    deploy: false,
};

/// The findings of a manifest whose image has these phases, with `document` as `web.yml`.
pub(crate) fn checked(document: &str, phases: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("web.yml"), document).unwrap();
    let manifest =
        format!("format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {{local: host}}\n{phases}");
    let options = Options {
        check: true,
        capabilities: vec![LOCAL],
        documents: Some(ami_bake_component::validate),
        ..Options::default()
    };
    let loaded = Manifest::load_text("bake.yml", &manifest, folder.path().to_owned(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    shown.replace(&format!("{}/", folder.path().display()), "")
}

pub(crate) const BUILD: &str = "    build:\n      - component: web.yml\n";

#[track_caller]
pub(crate) fn says(document: &str, expected: &[&str]) {
    let shown = checked(document, BUILD);
    for text in expected {
        assert!(shown.contains(text), "{text:?} is not in\n{shown}");
    }
}

#[test]
fn a_good_document_has_no_findings() {
    for version in ["1.0", "1", "\"1.0\""] {
        let document = build("- {name: A, action: ExecuteBash, inputs: {commands: [id]}}").replace("1.0", version);
        assert_eq!(checked(&document, BUILD), "");
    }
    let json = r#"{"schemaVersion": 1.0, "phases": [{"name": "build", "steps": [{"name": "A", "action": "Reboot"}]}]}"#;
    assert_eq!(checked(json, BUILD), "");
}

#[test]
fn mistakes_are_reported_with_their_lines_all_in_one_go() {
    says(
        &build(
            r#"
- name: Typo
  action: ExecuteBsh
- name: Keys
  action: CreateFile
  timeoutSecond: 3
  onFailure: ignore
  maxAttempts: 0
  timeoutSeconds: 0
  inputs: [{pth: /opt, content: x}, {path: 'C:\x', overwrite: yes, permissions: 999, encoding: latin1}]
- {name: Keys, action: ExecuteBash, inputs: {commands: id}}
- {name: Empty, action: S3Download, inputs: []}
- {name: None, action: WebDownload}
- {name: Half, action: WebDownload, inputs: [{source: ftp://x/y, destination: /opt/, checksum: "00"}]}
- {name: Loop, action: Reboot, loop: {for: {start: 1, end: 5, updateBy: -1}}}
- {name: If, action: Reboot, if: {fileExist: /opt, then: Maybe}}
- {name: Long, action: ExecuteDocument, maxAttempts: 3, inputs: {document: x}}
"#,
        ),
        &[
            "web.yml:6:17",
            "unknown action module `ExecuteBsh`",
            "Did you mean `ExecuteBash`?",
            "unknown key `timeoutSecond` in a step",
            "`onFailure` has to be `Abort`, `Continue` or `Ignore`",
            "`maxAttempts` has to be a whole number of at least 1",
            "`timeoutSeconds` has to be a whole number of at least 1",
            "unknown key `pth` in the inputs of `CreateFile`",
            "an input of `CreateFile` has no `path`",
            "`C:\\x` is a Windows path",
            "`overwrite` has to be `true` or `false`",
            "`999` is not a valid file mode",
            "`latin1` is not a supported encoding",
            "duplicate step `Keys` in the phase",
            "`commands` has to be a list, not text",
            "The list is empty: the step would do nothing.",
            "`WebDownload` needs `source` and `destination`.",
            "`ftp://x/y` is not a valid web address",
            "`checksum` and `algorithm` have to be set together",
            "the loop would never get from 1 to 5 in steps of -1",
            "unknown operator `fileExist`",
            "`then` has to be `Abort`, `Execute` or `Skip`",
            "`maxAttempts` can only be 1",
        ],
    );
    says("phases: []\nschemaVersion: 2.0\nstep: x\n", &["only schema version 1.0 is supported", "unknown key `step`"]);
    says("phases:\n", &["has no `schemaVersion`", "`phases` has to be a list, not nothing"]);
    says("", &["the component document web.yml is empty"]);
    says("a: [\n", &["web.yml:1"]);
    says(
        "schemaVersion: 1.0\nparameters:\n  - name: Who\n    type: string\nphases: []\n",
        &[
            "web.yml:3",
            "`parameters` has to be a list with one map for each name",
            "Write `- Name: {type: string, default: …}`.",
        ],
    );
}

#[test]
fn what_does_not_run_here_is_refused_by_name_and_line() {
    says(
        &build(
            "- {name: Shell, action: ExecutePowerShell, inputs: {commands: [x]}}\n\
             - {name: Get, action: S3Download, inputs: [{source: s3://b/k, destination: /opt/k}]}\n\
             - {name: Far, action: ExecuteDocument, inputs: {document: 'arn:aws:imagebuilder:us-west-2:aws:component/x/1.0.0'}}\n\
             - {name: Wrong, action: ExecuteDocument, inputs: {document: 'arn:aws:imagebuilder:us-west-2:aws:component/x/1.x.0'}}\n\
             - {name: Stored, action: ExecuteDocument, inputs: {document: 's3://b/x.yml'}}\n\
             - {name: Token, action: ExecuteBash, inputs: {commands: ['echo {{ aws:ssm:/a }}']}}",
        ),
        &[
            "error[not-on-linux]: the step `Shell` needs Windows: `ExecutePowerShell` does not run on Linux",
            "web.yml:5:31",
            "the step `Get` needs S3: `S3Download` has no credentials on the platform `local`",
            "give the manifest's step `platforms: [aws]`",
            "the step `Far` needs Image Builder: `ExecuteDocument` has no credentials on the platform `local`",
            "note[moving-component]: Image Builder resolves `1.0.0` to a build when the image is baked",
            "`arn:aws:imagebuilder:us-west-2:aws:component/x/1.x.0` is not a valid component ARN",
            "the step `Stored` needs S3: `ExecuteDocument` has no credentials on the platform `local`",
            "`{{ aws:ssm:/a }}` is not supported on the platform `local`",
        ],
    );
    // A phase that no step runs may contain anything.
    let document = format!(
        "{}  - name: test\n    steps:\n      - {{name: W, action: SetRegistry}}\n",
        build("- {name: A, action: Reboot}")
    );
    let shown = checked(&document, BUILD);
    assert!(
        !shown.contains("Windows") && shown.contains("warning[unused-phase]: the phase `test` of web.yml is never run"),
        "{shown}"
    );
    assert!(shown.contains("Add `- component: web.yml` to `test` too"), "{shown}");
    let both = "    build: [{component: web.yml}]\n    test: [{component: web.yml}]\n";
    assert!(checked(&document, both).contains("`SetRegistry` does not run on Linux"));
}

#[test]
fn references_to_nothing_are_reported() {
    let document = r#"
schemaVersion: 1.0
parameters: [{Version: {type: string, default: "1"}}]
phases:
  - name: build
    steps:
      - {name: One, action: ExecuteBash, inputs: {commands: ['{{ Versoin }}', '{{.Version}}', '{{ build.Two.outputs.stdout }}', '{{ .Names }}']}}
      - {name: Two, action: CreateFile, inputs: [{path: '{{ build.On.outputs.stdout }}', content: '{{ build.One.outputs.files }} {{ loop.value }}'}]}
      - {name: Env, action: ExecuteBash, inputs: {commands: ['{{ env:GREETING }} {{ env:HOME }} {{ context:user }} {{ aws:imds:iam/info }}']}}
  - name: test
    steps:
      - {name: Late, action: ExecuteBash, inputs: {commands: ['{{ build.One.outputs.stdout }}']}}
"#;
    let with_env = "    build: [{component: web.yml, env: {GREETING: x}}]\n    test: [{component: web.yml}]\n";
    let shown = checked(document, with_env);
    for expected in [
        "the document declares no parameter or constant `Versoin`",
        "Did you mean `Version`?",
        "warning[go-style]: `{{.Version}}` is not replaced",
        "the step `Two` of `build` runs later",
        "the phase `build` has no step `On`",
        "the step `One` has no output `files`",
        "warning[no-loop]: `{{ loop.value }}` is not replaced",
        "the environment variable `HOME` is not set for the document",
        "unknown reference `context:user`",
        "`iam/info` contains credentials",
        "`build` runs on another machine: its outputs are not available in `test`",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    assert!(!shown.contains("Names"), "{shown}");
}

#[test]
fn a_use_that_does_not_fit_is_reported_at_the_step() {
    let document = "schemaVersion: 1.0\nparameters: [{Version: {type: string}}, {Other: {type: string, default: x}}]\nphases: [{name: verify, steps: []}, {name: build, steps: [{name: A, action: Reboot}]}]\n";
    let phases = "    build:\n      - component: web.yml\n        with: {Versoin: \"17\"}\n    validate:\n      - component: web.yml\n        with: {Version: \"17\"}\n";
    let shown = checked(document, phases);
    for expected in [
        "bake.yml:9:25",
        "web.yml has no parameter `Versoin`",
        "Did you mean `Version`?",
        "the parameter `Version` of web.yml has no value",
        "web.yml has no phase `validate`, so this step would do nothing",
        "note[unused-phase]: the phase `verify` is never run",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
}

/// Image Builder refuses a value that `allowedValues` does not list.
#[test]
fn values_of_parameters_are_among_those_that_are_allowed() {
    let document = |default: &str| {
        format!(
            "schemaVersion: 1.0\nparameters: [{{Mode: {{type: string, default: '{default}', allowedValues: ['no', 'yes']}}}}]\nphases: [{{name: build, steps: [{{name: A, action: Reboot}}]}}]\n"
        )
    };
    let step = |value: &str| format!("    build:\n      - component: web.yml\n        with: {{Mode: '{value}'}}\n");
    assert_eq!(checked(&document("no"), &step("yes")), "");
    let shown = checked(&document("no"), &step("maybe"));
    assert!(shown.contains("`maybe` is not an allowed value of `Mode` in web.yml"), "{shown}");
    let shown = checked(&document("perhaps"), &step("yes"));
    assert!(shown.contains("the default `perhaps` of `Mode` is not among its `allowedValues`"), "{shown}");
}

#[test]
fn a_lax_script_is_warned_about_once() {
    let lax = build(
        "- {name: One, action: ExecuteBash, inputs: {commands: [a, b]}}\n\
         - {name: Two, action: ExecuteBash, inputs: {commands: [\"a\\nb\"]}}\n\
         - {name: Strict, action: ExecuteBash, inputs: {commands: [set -euo pipefail, a, b]}}\n\
         - {name: Single, action: ExecuteBash, inputs: {commands: [\"# why\\na\"]}}",
    );
    let shown = checked(&lax, BUILD);
    assert_eq!(shown.matches("warning").count(), 1, "{shown}");
    assert!(
        shown.contains("web.yml:5:16") && shown.contains("2 steps, first `One`, continue after a failed command"),
        "{shown}"
    );
    let strict = build("- {name: A, action: ExecuteBash, inputs: {commands: [set -o errexit, a, b]}}");
    assert_eq!(checked(&strict, BUILD), "");
}

#[test]
fn no_text_is_a_panic() {
    let document = format!(
        "{}  - name: test\n    steps:\n      - name: L\n        action: Assert\n        if: {{or: [{{not: [{{numberLessThan: 1, value: '{{{{ a.b.inputs[0].x }}}}'}}]}}]}}\n        \
         loop: {{name: x, forEach: {{list: 'a,b', delimiter: ','}}}}\n        inputs: {{patternMatches: '[', value: ä}}\n",
        build("- {name: A, action: WebDownload, inputs: [{source: 'https://x/{{ P-1 }}', destination: /opt/}]}")
    );
    for (at, _) in document.char_indices().step_by(13) {
        let _ = checked(&document[..at], BUILD);
        let _ = ami_bake_component::phases(&document[at..]);
    }
    for (from, to) in [
        ("steps:", "steps: 1 #"),
        ("- name", "- [name]"),
        ("inputs:", "inputs: [[{}]] #"),
        ("build", "{{ }}"),
        ("{", "["),
    ] {
        let _ = checked(&document.replace(from, to), BUILD);
    }
}
