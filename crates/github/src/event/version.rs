//! Derives the version from the event (docs/dev/lifecycle.md, "The version").

use ami_bake_core::engine::VersionContext;
use ami_bake_core::version;
use serde_json::Value;

use super::Workflow;

/// The rules of that page, in order.
pub(super) fn context(workflow: &Workflow, event: &Value) -> VersionContext {
    let released = event["release"]["tag_name"].as_str().or(workflow.tag.as_deref());
    if let Some(version) = released.and_then(version::from_tag) {
        return VersionContext::Tag(version);
    }
    if let (Some(number), Some(sha)) = (workflow.pull_request, &workflow.sha) {
        return VersionContext::PullRequest { number, sha: sha.clone() };
    }
    let run = workflow.run_id.as_deref().and_then(|run| run.parse().ok());
    let (Some(branch), Some(run)) = (&workflow.branch, run) else { return VersionContext::Default };
    let aside = match workflow.event.as_str() {
        // Dispatch and schedule are a decision to bake, whatever branch they were started on.
        "push" => event["repository"]["default_branch"].as_str().is_some_and(|default| default != branch),
        // The merge queue's branch contains commits that are not merged yet.
        "merge_group" => true,
        _ => false,
    };
    if aside { VersionContext::Branch { run } } else { VersionContext::Default }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runner::Environment;

    fn of(variables: &[(&str, &str)], event: &Value) -> VersionContext {
        Workflow::read(&Environment::of(variables.iter().copied()), event).context
    }

    #[test]
    fn releases_and_tags_carry_the_version() {
        let tag = [("GITHUB_REF", "refs/tags/web-v1.2.3"), ("GITHUB_EVENT_NAME", "push")];
        assert_eq!(of(&tag, &Value::Null), VersionContext::Tag(semver::Version::new(1, 2, 3)));
        let release = json!({"release": {"tag_name": "v2.0.0"}});
        assert_eq!(
            of(&[("GITHUB_EVENT_NAME", "release")], &release),
            VersionContext::Tag(semver::Version::new(2, 0, 0))
        );
        assert_eq!(of(&[("GITHUB_REF", "refs/tags/nightly")], &Value::Null), VersionContext::Default);
    }

    #[test]
    fn a_pull_request_is_its_head() {
        let event = json!({"pull_request": {"number": 7, "head": {"sha": "1a2b3c4d"}}});
        let variables = [("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_SHA", "0000000000")];
        assert_eq!(of(&variables, &event), VersionContext::PullRequest { number: 7, sha: "1a2b3c4d".into() });
    }

    #[test]
    fn only_a_push_to_another_branch_is_a_branch() {
        let event = json!({"repository": {"default_branch": "main"}});
        let context = |name: &str, branch: &str| {
            let reference = format!("refs/heads/{branch}");
            of(&[("GITHUB_REF", reference.as_str()), ("GITHUB_RUN_ID", "42"), ("GITHUB_EVENT_NAME", name)], &event)
        };
        assert_eq!(context("push", "topic"), VersionContext::Branch { run: 42 });
        assert_eq!(context("merge_group", "gh-readonly-queue/main/pr-7-1a2b"), VersionContext::Branch { run: 42 });
        for (name, branch) in
            [("push", "main"), ("schedule", "main"), ("workflow_dispatch", "topic"), ("workflow_run", "main")]
        {
            assert_eq!(context(name, branch), VersionContext::Default, "{name} on {branch}");
        }
    }
}
