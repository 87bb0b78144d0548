//! Tests with event payloads of GitHub (npm `@octokit/webhooks-examples`, which `.ci/setup` installs).

use ami_bake_core::engine::VersionContext;
use ami_bake_testkit::cloud::repository;
use serde_json::{Value, json};

use super::{Code, EventVersion, Names, Workflow};
use crate::runner::Environment;

const FILE: &str = "target/tools/node/node_modules/@octokit/webhooks-examples/api.github.com/index.json";

fn examples(event: &str) -> Vec<Value> {
    let text = std::fs::read(repository().join(FILE)).unwrap_or_else(|error| panic!("{FILE}: {error}; run .ci/setup"));
    let all: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let examples = all.into_iter().find(|one| one["name"] == event).unwrap()["examples"].take();
    let Value::Array(examples) = examples else { panic!("{event} has no examples") };
    assert!(!examples.is_empty());
    examples
}

/// The event as the runner delivers it.
fn workflow(name: &str, event: &Value) -> Workflow {
    let number = &event["pull_request"]["number"];
    let branch = event["repository"]["default_branch"].as_str().unwrap();
    let reference = match (name, event["ref"].as_str()) {
        (_, Some(reference)) => reference.to_owned(),
        ("release", None) => format!("refs/tags/{}", event["release"]["tag_name"].as_str().unwrap()),
        ("pull_request", None) => format!("refs/pull/{number}/merge"),
        (_, None) => format!("refs/heads/{branch}"),
    };
    let repository = event["repository"]["full_name"].as_str().unwrap();
    let variables = [
        ("GITHUB_EVENT_NAME", name),
        ("GITHUB_REF", &reference),
        ("GITHUB_REPOSITORY", repository),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_SHA", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"),
    ];
    Workflow::read(&Environment::of(variables), event)
}

/// The version context, for a manifest with the name `shop`.
fn context(name: &str, event: &Value) -> VersionContext {
    let workflow = workflow(name, event);
    let names = Names { manifest: "shop".to_owned(), images: Vec::new() };
    match workflow.version(&names, Code::Event, || Ok(Vec::new())).unwrap() {
        EventVersion::Bake { context, .. } => context,
        EventVersion::Nothing(why) => panic!("{name}: {why}"),
    }
}

#[test]
fn releases_are_their_tag() {
    for event in examples("release") {
        if event["action"] == "deleted" {
            let workflow = workflow("release", &event);
            let nothing = workflow.version(&Names::default(), Code::Event, || Ok(Vec::new())).unwrap();
            assert_eq!(nothing, EventVersion::Nothing("The release was deleted".to_owned()));
            continue;
        }
        let VersionContext::Tag(tag) = context("release", &event) else { panic!("{event}") };
        let prerelease = event["release"]["prerelease"] == true;
        assert_eq!(tag.version.to_string(), if prerelease { "0.0.1-pre.42" } else { "0.0.1" });
    }
}

#[test]
fn pull_requests_are_their_head() {
    for event in examples("pull_request") {
        let found = workflow("pull_request", &event);
        let sha = event["pull_request"]["head"]["sha"].as_str().unwrap().to_owned();
        assert_eq!(context("pull_request", &event), VersionContext::PullRequest { number: 2, sha });
        assert_eq!((found.untrusted(), found.bump), (None, None));
    }
}

#[test]
fn pushes_and_decisions_follow_the_default_branch() {
    for event in ["push", "workflow_dispatch"] {
        for payload in examples(event) {
            let expected = match payload["ref"].as_str().and_then(|name| name.strip_prefix("refs/tags/")) {
                Some(tag) => VersionContext::OtherTag { tag: tag.to_owned(), run: 42 },
                None => VersionContext::Default,
            };
            assert_eq!(context(event, &payload), expected, "{event}");
        }
    }
    for mut payload in examples("push").into_iter().filter(|push| push["ref"] == "refs/heads/master") {
        payload["ref"] = "refs/heads/topic".into();
        assert_eq!(context("push", &payload), VersionContext::Branch { run: 42 });
    }
    for payload in examples("merge_group") {
        assert_eq!(context("merge_group", &payload), VersionContext::Branch { run: 42 });
    }
}

/// For events that anybody can cause, the checked-out commit decides.
#[test]
fn code_that_may_be_a_strangers_is_refused() {
    const OWN: &str = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    let at = |commit: &str| std::fs::write(dir.path().join(".git/HEAD"), commit).unwrap();
    let stranger = "99".repeat(20);
    for event in ["issue_comment", "workflow_run", "issues", "check_run", "status"] {
        for mut payload in examples(event) {
            let code = |payload: &Value| workflow(event, payload).code(dir.path());
            at(OWN);
            assert_eq!(code(&payload).unwrap(), Code::DefaultBranch, "{event}");
            at(&stranger);
            let error = code(&payload).unwrap_err();
            assert!(error.message().contains("may be a stranger's"), "{event}: {error}");
            at("ref: refs/heads/gone");
            assert!(code(&payload).unwrap_err().message().contains("can't be told"), "{event}");
            if event == "workflow_run" {
                let own = payload["repository"]["full_name"].clone();
                at(&stranger);
                payload["workflow_run"]["head_sha"] = stranger.clone().into();
                payload["workflow_run"]["head_repository"] = json!({"full_name": own});
                assert_eq!(code(&payload).unwrap(), Code::FirstRun);
                payload["workflow_run"]["head_repository"] = json!({"full_name": "eve/images"});
                assert!(code(&payload).is_err(), "a fork's");
            }
        }
    }
    // For an event with the rights of its own code, the checkout does not matter.
    for payload in examples("push") {
        assert_eq!(workflow("push", &payload).code(dir.path()).unwrap(), Code::Event);
    }
}
