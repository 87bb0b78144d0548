//! Tests of the spellings that are accepted in a document, and of those that are refused with help.

use crate::check::says;
use crate::fixture::{Fixture, build};

#[test]
fn wrong_forms_are_reported_with_what_was_meant() {
    says("schemaVersion: 1.0\nphases: []\n", &["the document has no phases", "at least one of `build`"]);
    says(
        "schemaVersion: 1.0\nphases: {build: []}\n",
        &["`phases` has to be a list, not a map", "Start each phase with `- name: build`"],
    );
    says(
        "schemaVersion: 1.0\nphases:\n  - {name: build, steps: []}\n  - {name: build, steps: []}\n  - {name: '', steps: []}\n  - {name: test}\n",
        &["duplicate phase `build`", "the phase has no `name`", "the phase `test` has no list of `steps`"],
    );
    says(
        "schemaVersion: 1.0\nparameters: {Who: {type: string}}\nconstants: [{It: {type: string, value: x}}, {Who: {type: number, value: 1}}, {None: {type: string}}]\nphases: []\n",
        &[
            "`parameters` has to be a list with one map for each name",
            "`It` is not a valid name for a parameter or constant",
            "Use 3 to 128 letters, digits, `-` and `_`.",
            "the type of `Who` can only be `string`",
            "`None` has no `value`",
        ],
    );
    says(
        "schemaVersion: 1.0\nparameters: [{Who: {type: string, default: [a]}}]\nconstants: [{Who: {type: string, value: x}}]\nphases: []\n",
        &["the default of `Who` has to be text, not a list", "`Who` is declared twice"],
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
            "`timeoutSeconds` has to be a whole number of at least 1",
            "`-1` means no limit.",
            "`delaySeconds` has to be a whole number of seconds",
            "`maxAttempts` has to be a whole number of at least 1",
            "`disableLogging` has to be `true` or `false`",
            "`commands` is empty: the step would do nothing",
            "an item of `forEach` has to be text, not a list",
            "an item of `forEach` has to be text, not a map",
            "duplicate loop `turn` in the phase `build`",
            "warning[no-turns]: the list of `forEach` is empty",
            "a loop requires either `for` or `forEach`",
            "`end` has to be a whole number",
            "the loop would never get from 1 to 2 in steps of 0",
            "`+` is not a valid delimiter",
            "the inputs of `CreateFile` have to be a list of maps",
            "Start with `- path:`.",
            "the inputs of `ExecuteBash` have to be a map",
            "an item of `commands` has to be text, not a map",
            "`timeoutSeconds` can only be -1",
            "a parameter requires `name` and `value`",
            "a condition has exactly one operator",
            "List several below `and` or `or`.",
            "`numberEquals` requires `value`",
            "`fileSHA256Equals` requires `path`",
            "`0999` is not a valid file mode",
            "`u+x` is not a valid file mode",
            "`077777` is not a valid file mode",
        ],
    );
}

#[test]
fn a_reference_without_quotes_is_reported_once() {
    let document = "schemaVersion: 1.0\nparameters: [{Dir: {type: string, default: /opt}}]\nphases:\n  - name: build\n    steps:\n      - name: A\n        action: CreateFolder\n        inputs:\n          - path: {{ Dir }}\n";
    says(
        document,
        &[
            "web.yml:9:20",
            "`{{ Dir }}` has to be quoted: YAML reads it as a map",
            "Write `\"{{ Dir }}\"`",
            "error[key]",
        ],
    );
    let shown = crate::check::checked(document, crate::check::BUILD);
    assert_eq!(shown.matches("error[").count(), 1, "{shown}");
}

/// Everything that the user guide and public documents write is accepted.
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
