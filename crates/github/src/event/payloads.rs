//! Events as GitHub sends them (npm `@octokit/webhooks-examples`, which `.ci/setup` installs).

use ami_bake_core::engine::VersionContext;
use ami_bake_testkit::cloud::repository;
use semver::Version;
use serde_json::Value;

use super::Workflow;
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

/// As the runner would start on it.
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

#[test]
fn releases_are_their_tag() {
    for event in examples("release") {
        assert_eq!(workflow("release", &event).context, VersionContext::Tag(Version::new(0, 0, 1)));
    }
}

#[test]
fn pull_requests_are_their_head() {
    for event in examples("pull_request") {
        let found = workflow("pull_request", &event);
        let sha = event["pull_request"]["head"]["sha"].as_str().unwrap().to_owned();
        assert_eq!(found.context, VersionContext::PullRequest { number: 2, sha });
        assert_eq!((found.untrusted(), found.bump), (None, None));
    }
}

#[test]
fn pushes_and_decisions_follow_the_default_branch() {
    for event in ["push", "workflow_dispatch", "workflow_run"] {
        for payload in examples(event) {
            // A tag that is not a version counts as a push to the default branch.
            assert_eq!(workflow(event, &payload).context, VersionContext::Default, "{event}");
        }
    }
    for mut payload in examples("push").into_iter().filter(|push| push["ref"] == "refs/heads/master") {
        payload["ref"] = "refs/heads/topic".into();
        assert_eq!(workflow("push", &payload).context, VersionContext::Branch { run: 42 });
    }
    for payload in examples("merge_group") {
        assert_eq!(workflow("merge_group", &payload).context, VersionContext::Branch { run: 42 });
    }
}
