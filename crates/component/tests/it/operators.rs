//! Tests of every comparison and logical operator on a machine (user guide, toe-comparison-operators and
//! toe-logical-operators).

use crate::fixture::Fixture;

/// Checksums of `abc` without a newline.
const SUMS: [(&str, &str); 4] = [
    ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
    ("SHA1", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
    ("SHA256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "SHA512",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
];

const TRUE: [&str; 24] = [
    "stringIsEmpty: ''",
    "stringIsEmpty: \"{{ None }}\"",
    "stringIsWhitespace: \" \\t\"",
    "stringEquals: web, value: WEB",
    "stringEquals: \"{{ build.Out.outputs.stdout }}\", value: \"2.10\"",
    "stringLessThan: b, value: a",
    "stringlessThan: b, value: a",
    "stringLessThanEquals: a, value: a",
    "stringGreaterThan: a, value: b",
    "stringGreaterThanEquals: b, value: b",
    "patternMatches: '^[a-z]+$', value: ThisIsValue",
    "numberEquals: 1, value: 1.0",
    "numberLessThan: 3, value: \"{{ build.Out.outputs.stdout }}\"",
    "numberLessThanEquals: 2.10, value: 2.1",
    "numberGreaterThan: 1, value: 2",
    "numberGreaterThanEquals: -1, value: -1",
    "binaryExists: sh",
    "binaryExists: /bin/sh",
    "fileExists: /opt/abc",
    "folderExists: /opt",
    "and: [{fileExists: /opt/abc}, {folderExists: /opt}]",
    "or: [{fileExists: /none}, {not: {fileExists: /none}}, {patternMatches: '[', value: a}]",
    "not: [{and: [{fileExists: /none}, {patternMatches: '[', value: a}]}]",
    "not: {stringIsEmpty: x}",
];

const FALSE: [&str; 15] = [
    "stringIsEmpty: ' '",
    "stringIsWhitespace: ''",
    "stringEquals: a, value: ' a'",
    "stringLessThan: a, value: b",
    "patternMatches: '^[0-9]+$', value: 1a",
    "numberEquals: 1, value: one",
    "numberGreaterThan: 2, value: 2",
    "binaryExists: unheard-of",
    "binaryExists: ulimit",
    "binaryExists: /opt/abc",
    "fileExists: /opt",
    "folderExists: /opt/abc",
    "fileMD5Equals: 00, path: /opt/abc",
    "fileSHA256Equals: 00, path: /none",
    "or: [{fileExists: /none}, {numberLessThan: 1, value: 1}]",
];

#[tokio::test]
async fn every_operator_says_what_the_user_guide_says() {
    let mut fixture = Fixture::new().await;
    fixture.sh("printf abc >/opt/abc").await;
    let out = "- {name: Out, action: ExecuteBash, inputs: {commands: [echo 2.10]}}\n".to_owned();
    let sums = SUMS.map(|(tool, sum)| format!("file{tool}Equals: {sum}, path: /opt/abc"));
    let yes = TRUE.map(str::to_owned).into_iter().chain(sums).map(|condition| (condition, "Skip", "Abort"));
    let no = FALSE.map(str::to_owned).into_iter().map(|condition| (condition, "Abort", "Skip"));
    let steps: Vec<String> = yes
        .chain(no)
        .enumerate()
        .map(|(at, (condition, then, otherwise))| {
            format!("- {{name: S{at}, action: Reboot, onFailure: Continue, if: {{{condition}, then: {then}, else: {otherwise}}}}}\n")
        })
        .collect();
    let document = crate::fixture::build(&(out + &steps.concat()))
        .replace("phases:", "constants: [{None: {type: string, value: ''}}]\nphases:");
    let outcome = fixture.document(&document, &[ami_bake_core::plan::Phase::Build], &[]).await;
    let wrong: Vec<&String> = outcome.told.iter().filter(|told| told.contains("failed at the step")).collect();
    assert!(wrong.is_empty() && outcome.result.is_ok(), "{wrong:#?}");
    assert!(
        outcome.told.last().unwrap().ends_with(&format!("1 step passed, {} skipped", steps.len())),
        "{:?}",
        outcome.told
    );
    // Only the pattern that is evaluated counts; an invalid one is reported.
    let error = fixture.build("- {name: A, action: Assert, inputs: {patternMatches: '[', value: a}}").await.fails();
    assert!(error.contains("`[` is not a valid regular expression") && error.contains("RE2"), "{error}");
    let error =
        fixture.build("- {name: A, action: Assert, maxAttempts: 2, inputs: {not: {folderExists: /opt}}}").await.fails();
    assert!(error.contains("the assertion is false"), "{error}");
}
