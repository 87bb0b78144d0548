//! Tests of `ExecuteDocument`: depth, order, parameters.

use crate::fixture::{Fixture, build, whole};

fn calls(document: &str) -> String {
    build(&format!("- {{name: Call, action: ExecuteDocument, inputs: {{document: {document}}}}}"))
}

#[tokio::test]
async fn documents_run_each_other_four_deep_and_never_in_a_circle() {
    let mut fixture = Fixture::new().await;
    let put = |fixture: &Fixture, name: &str, text: &str| std::fs::write(fixture.shell.path(name), text).unwrap();
    put(&fixture, "/opt/4.yml", &build("- {name: End, action: ExecuteBash, inputs: {commands: [echo the end]}}"));
    put(&fixture, "/opt/3.yml", &calls("/opt/4.yml"));
    put(&fixture, "/opt/2.yml", &calls("/opt/3.yml"));
    let call = |name: &str| format!("- {{name: Call, action: ExecuteDocument, inputs: {{document: {name}}}}}");
    assert_eq!(fixture.build(&call("/opt/2.yml")).await.passes(), "the end\n");
    put(&fixture, "/opt/1.yml", &calls("/opt/2.yml"));
    let error = fixture.build(&call("/opt/1.yml")).await.fails();
    assert!(error.contains("`/opt/4.yml` would be nested more than 4 documents deep"), "{error}");
    // The error names each document on the way to the failure.
    assert!(error.contains("web.yml:5: ") && error.contains("/opt/3.yml:5: "), "{error}");
    put(&fixture, "/opt/a.yml", &calls("/opt/b.yml"));
    put(&fixture, "/opt/b.yml", &calls("/opt/a.yml"));
    let error = fixture.build(&call("/opt/a.yml")).await.fails();
    assert!(error.contains("the document `/opt/a.yml` would run itself"), "{error}");
    let error = fixture.build(&call("/opt/none.yml")).await.fails();
    assert!(error.contains("no such file") && error.contains("An earlier step has to create it."), "{error}");
    put(&fixture, "/opt/latin.yml", "name: Gr");
    fixture.sh("printf '\\374' >>/opt/latin.yml; mkdir /opt/folder.yml").await;
    let error = fixture.build(&call("/opt/latin.yml")).await.fails();
    assert!(error.contains("the document `/opt/latin.yml` is not UTF-8"), "{error}");
    fixture.build(&call("/opt/folder.yml")).await.fails();
}

#[tokio::test]
async fn phases_run_in_the_documents_order_with_the_callers_values() {
    let mut fixture = Fixture::new().await;
    let inner = "schemaVersion: 1.0\nparameters: [{Who: {type: string, default: nobody}}]\nphases:\n  - name: validate\n    steps:\n      - {name: First, action: ExecuteBash, inputs: {commands: ['echo {{ context:phase }} {{ Who }}']}}\n  - name: build\n    steps:\n      - {name: Bad, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [exit 3]}}\n      - {name: Second, action: ExecuteBash, inputs: {commands: ['echo {{ context:phase }} {{ validate.First.outputs.stdout }}']}}\n  - name: extra\n    steps:\n      - {name: Not, action: ExecuteBash, inputs: {commands: [exit 1]}}\n";
    std::fs::write(fixture.shell.path("/opt/inner.yml"), inner).unwrap();
    let text = fixture
        .build(
            r#"
- {name: Call, action: ExecuteDocument, inputs: {document: /opt/inner.yml, phases: "build, validate", parameters: [{name: Who, value: you}]}}
- {name: Said, action: ExecuteBash, inputs: {commands: ["echo {{ build.Call.outputs.status }} {{ build.Call.outputs.executedStepCount }} {{ build.Call.outputs.failedStepCount }} {{ build.Call.outputs.ignoredFailedStepCount }}"]}}
- {name: All, action: ExecuteDocument, onFailure: Continue, inputs: {document: /opt/inner.yml}}
"#,
        )
        .await;
    let said = "validate you\nbuild validate you\nsuccess 3 0 1\nvalidate nobody\nbuild validate nobody\n";
    assert_eq!(text.stdout, said);
    let error = text.fails();
    assert!(error.contains("/opt/inner.yml:13: the phase `extra` failed at the step `Not`"), "{error}");
}

const STORED: &str = "arn:aws:imagebuilder:us-east-1:111122223333:component/inner/1.0.0";

#[tokio::test]
async fn documents_of_image_builder_are_validated_before_a_machine_and_run_on_it() {
    let mut fixture = Fixture::new().await;
    let call = |more: &str| {
        let inputs = format!(
            "{{document: \"{}{{{{ Build }}}}\", phases: build, parameters: [{{name: Who, value: me}}]}}",
            &STORED[..STORED.len() - 5]
        );
        format!(
            "schemaVersion: 1.0\nparameters: [{{Build: {{type: string, default: 1.0.0}}}}]\nphases:\n  - name: build\n    steps:\n      \
             - {{name: Call, action: ExecuteDocument, inputs: {inputs}{more}}}\n"
        )
    };
    let inner = format!(
        "parameters: [{{Who: {{type: string}}}}]\n{}  - name: test\n    steps:\n      - {{name: W, action: SetRegistry}}\n",
        build("- {name: Say, action: ExecuteBash, inputs: {commands: ['echo for {{ Who }}']}}")
    );
    fixture.store.put(STORED, inner.as_bytes());
    fixture.preflight(&call("")).await.unwrap();
    let outcome = fixture.build_of(&call("")).await;
    assert!(outcome.told.iter().any(|told| told.ends_with("1.0.0/7")), "{:?}", outcome.told);
    assert_eq!(outcome.passes(), "for me\n");
    // A document that can't run is reported before a machine starts, if it is certain to run.
    fixture.store.put(STORED, build("- {name: W, action: SetRegistry}").as_bytes());
    let error = whole(&fixture.preflight(&call("")).await.unwrap_err());
    for part in
        ["web.yml:6: the step `Call` (ExecuteDocument): ", "component/inner/1.0.0/7:5: the step `W` needs Windows"]
    {
        assert!(error.contains(part), "{error}");
    }
    fixture.preflight(&call(", onFailure: Ignore")).await.unwrap();
    fixture.preflight(&call(", if: {fileExists: /none}")).await.unwrap();
    fixture.store.put(
        STORED,
        build(&format!("- {{name: Again, action: ExecuteDocument, inputs: {{document: '{STORED}'}}}}")).as_bytes(),
    );
    fixture.preflight(&call("")).await.unwrap();
    let error = fixture.build_of(&call("")).await.fails();
    assert!(error.contains("component/inner/1.0.0/7` would run itself"), "{error}");
    let absent = call("").replace("default: 1.0.0", "default: 2.0.0");
    let error = whole(&fixture.preflight(&absent).await.unwrap_err());
    assert!(error.contains("component/inner/2.0.0: there is no such component"), "{error}");
}
