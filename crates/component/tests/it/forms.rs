//! The forms of a document: what is taken, in which spellings, and what is refused with a help.

use crate::check::says;
use crate::fixture::{Fixture, build};

#[test]
fn wrong_forms_are_told_with_what_was_meant() {
    says("schemaVersion: 1.0\nphases: []\n", &["the document has no phases", "at least one of `build`"]);
    says(
        "schemaVersion: 1.0\nphases: {build: []}\n",
        &["`phases` is a list, not a map", "Begin each phase with `- name: build`"],
    );
    says(
        "schemaVersion: 1.0\nphases:\n  - {name: build, steps: []}\n  - {name: build, steps: []}\n  - {name: '', steps: []}\n  - {name: test}\n",
        &[
            "the document has a second phase `build`",
            "the phase has no `name`",
            "the phase `test` has no list of `steps`",
        ],
    );
    says(
        "schemaVersion: 1.0\nparameters: {Who: {type: string}}\nconstants: [{It: {type: string, value: x}}, {Who: {type: number, value: 1}}, {None: {type: string}}]\nphases: []\n",
        &[
            "`parameters` is a list with one map for each name",
            "`It` can't be the name of a parameter or constant",
            "It has 3 to 128 letters, digits, `-` and `_`.",
            "the type of `Who` can only be `string`",
            "`None` has no `value`",
        ],
    );
    says(
        "schemaVersion: 1.0\nparameters: [{Who: {type: string, default: [a]}}]\nconstants: [{Who: {type: string, value: x}}]\nphases: []\n",
        &["the default of `Who` is text, not a list", "`Who` is declared twice"],
    );
    says(
        &build(
            r"
- {name: , action: Reboot}
- {name: Idle, action: }
- {name: Negative, action: Reboot, timeoutSeconds: -2, inputs: {delaySeconds: -1}}
- {name: Half, action: UpdateOS, timeoutSeconds: 1.5, maxAttempts: -1}
- {name: Hidden, action: ExecuteBash, disableLogging: yes, inputs: {commands: []}}
- {name: Loops, action: Reboot, loop: {name: turn, forEach: [[a], {b: c}]}}
- {name: Again, action: Reboot, loop: {name: turn, forEach: []}}
- {name: Both, action: Reboot, loop: {forEach: [a], for: {start: 1, end: 2, updateBy: 1}}}
- {name: Still, action: Reboot, loop: {for: {start: 1, end: '{{ End }}', updateBy: 0}}}
- {name: Still, action: Reboot, loop: {for: {start: 1, end: 2, updateBy: 0}}}
- {name: Cut, action: Reboot, loop: {forEach: {list: a+b, delimiter: +}}}
- {name: Map, action: CreateFile, inputs: {path: /x}}
- {name: List, action: ExecuteBash, inputs: [{commands: [a]}, {commands: [b]}]}
- {name: Deep, action: ExecuteBash, inputs: {commands: ['a', {b: c}]}}
- {name: Inner, action: ExecuteDocument, timeoutSeconds: 5, inputs: {document: /x, parameters: [{nam: a, value: b}]}}
- {name: If, action: Reboot, if: {fileExists: /a, folderExists: /b}}
- {name: Not, action: Assert, inputs: {and: [], stringEquals: a}}
- {name: One, action: Assert, inputs: {numberEquals: 1}}
- {name: Sum, action: Assert, inputs: {fileSHA256Equals: 00}}
- {name: Modes, action: SetFilePermissions, inputs: [{path: /x, permissions: 0999}, {path: /x, permissions: u+x}, {path: /x, permissions: 077777}]}
",
        ),
        &[
            "the step has no `name`",
            "the step `Idle` has no `action`",
            "`timeoutSeconds` is a whole number of at least 1",
            "`-1` means that there is no limit.",
            "`delaySeconds` is a whole number of seconds",
            "`maxAttempts` is a whole number of at least 1",
            "`disableLogging` is `true` or `false`",
            "`commands` is empty: the step would do nothing",
            "an entry of `forEach` is text, not a list",
            "an entry of `forEach` is text, not a map",
            "the phase `build` has a second loop `turn`",
            "warning[no-turns]: the list of `forEach` is empty",
            "a loop has either `for` or `forEach`",
            "`end` is a whole number",
            "the loop would never get from 1 to 2 in steps of 0",
            "`+` can't be a delimiter",
            "the inputs of `CreateFile` are a list of maps",
            "Begin with `- path:`.",
            "the inputs of `ExecuteBash` are a map",
            "an entry of `commands` is text, not a map",
            "`timeoutSeconds` can only be -1",
            "a parameter has a `name` and a `value`",
            "a condition has exactly one operator",
            "Put several into a list below `and` or `or`.",
            "`numberEquals` needs a `value` beside it",
            "`fileSHA256Equals` needs a `path` beside it",
            "`0999` are no permissions",
            "`u+x` are no permissions",
            "`077777` are no permissions",
        ],
    );
}

#[test]
fn a_reference_without_quotes_is_told_once() {
    let document = "schemaVersion: 1.0\nparameters: [{Dir: {type: string, default: /opt}}]\nphases:\n  - name: build\n    steps:\n      - name: A\n        action: CreateFolder\n        inputs:\n          - path: {{ Dir }}\n";
    says(
        document,
        &["web.yml:9:20", "`{{ Dir }}` is no text to YAML without quotes", "Write `\"{{ Dir }}\"`", "error[key]"],
    );
    let shown = crate::check::checked(document, crate::check::BUILD);
    assert_eq!(shown.matches("error[").count(), 1, "{shown}");
}

/// All that the user guide and public documents write without an error.
#[tokio::test]
async fn every_spelling_is_taken() {
    let mut fixture = Fixture::new().await;
    let json = r#"{"schemaVersion": "1.0", "name": "j", "description": "d", "phases": [{"name": "build", "steps": [
        {"name": "A", "action": "ExecuteBash", "timeoutSeconds": "60", "maxAttempts": 1, "inputs": {"commands": ["echo json"]}}]}]}"#;
    assert_eq!(fixture.document(json, &[ami_bake_core::plan::Phase::Build], &[]).await.passes(), "json\n");
    let text = fixture
        .build(
            r#"
- &first
  name: First
  action: ExecuteBash
  timeoutSeconds: -1
  disableLogging: false
  inputs: &inputs
    commands: [echo first, true, 1.5e0 2>/dev/null || echo number]
- {name: Second, action: ExecuteBash, inputs: *inputs}
- {<<: *first, name: Third}
- {name: Restart, action: Reboot, inputs: }
- {name: Listed, action: ExecuteBash, inputs: [{commands: [echo listed]}]}
- name: Defaults
  action: CreateFile
  inputs: [{path: /opt/in/plain}, {path: /opt/bare, permissions: 0750}, {path: /opt/text, permissions: "0640"}, {path: /opt/short, permissions: 600}, {path: /opt/new, permissions: 0o4755}]
- {name: Folder, action: CreateFolder, inputs: [{path: /opt/folder, overwrite: False}]}
- {name: Said, action: ExecuteBash, inputs: {commands: ["cd /opt; stat -c %a in/plain bare text short new folder; umask"]}}
"#,
        )
        .await
        .passes();
    let one = "first\nnumber\n";
    assert_eq!(text, format!("{one}{one}{one}listed\n644\n750\n640\n600\n4755\n755\n0022\n"));
}
