//! Facts about a workflow run, from the runner's environment variables and the event's file.

use ami_bake_core::version::Bump;
use serde_json::Value;

use super::{bump, trust};
use crate::runner::Environment;

/// Facts about a workflow run (GitHub: variables reference; webhook events and payloads).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workflow {
    /// Name of the event.
    pub event: String,
    /// The commit; for a pull request its head, since `GITHUB_SHA` is a temporary merge commit.
    pub sha: Option<String>,
    /// The full ref, such as `refs/heads/main`.
    pub reference: Option<String>,
    /// The branch; for a pull request its head branch.
    pub branch: Option<String>,
    /// The tag that the run is for.
    pub tag: Option<String>,
    /// ID of the run; a re-run keeps it.
    pub run_id: Option<String>,
    /// The user who started the run.
    pub actor: Option<String>,
    /// The repository, `owner/name`.
    pub repository: Option<String>,
    /// The IDs of the owner and the repository. They do not change when these are renamed.
    pub ids: Option<(String, String)>,
    /// The number of the pull request.
    pub pull_request: Option<u64>,
    /// The URL of the run.
    pub run_url: Option<String>,
    /// The URL of the job.
    pub job_url: Option<String>,
    /// The version part in the labels of the pull request.
    pub bump: Option<Bump>,
    /// The commit that the workflow declares as reviewed.
    pub(super) reviewed: Option<String>,
    /// `GITHUB_SHA`: the commit of the workflow's own branch.
    pub(super) own_sha: Option<String>,
    untrusted: Option<String>,
    strangers: Option<String>,
    pub(super) payload: Value,
}

impl Workflow {
    /// Reads the variables and the event's file. Without the file, the variables contain most of the facts.
    pub fn of(environment: &Environment) -> Self {
        Self::read(environment, &environment.event())
    }

    /// Reads the variables, with this event payload.
    pub fn read(environment: &Environment, event: &Value) -> Self {
        let text = |name: &str| environment.get(name).map(str::to_owned);
        let reference = text("GITHUB_REF");
        let stripped =
            |prefix: &str| reference.as_deref().and_then(|name| name.strip_prefix(prefix)).map(str::to_owned);
        let pull_request = event["pull_request"]["number"]
            .as_u64()
            // In the event of a comment, the pull request is called an issue.
            .or_else(|| event["issue"]["number"].as_u64().filter(|_| event["issue"]["pull_request"].is_object()))
            .or_else(|| stripped("refs/pull/").and_then(|rest| rest.split('/').next()?.parse().ok()));
        let head = event["pull_request"]["head"]["sha"].as_str().map(str::to_owned);
        let (repository, run_id) = (text("GITHUB_REPOSITORY"), text("GITHUB_RUN_ID"));
        let run_url = match (text("GITHUB_SERVER_URL"), &repository, &run_id) {
            (Some(server), Some(repository), Some(run)) => Some(format!("{server}/{repository}/actions/runs/{run}")),
            _ => None,
        };
        let job_url = run_url
            .as_ref()
            .zip(environment.input("job-id"))
            .and_then(|(run, job)| job.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{run}/job/{job}")));
        let labels = event["pull_request"]["labels"].as_array();
        let labels = labels.into_iter().flatten().filter_map(|label| label["name"].as_str());
        Self {
            event: text("GITHUB_EVENT_NAME").unwrap_or_default(),
            sha: head.or_else(|| text("GITHUB_SHA")),
            branch: text("GITHUB_HEAD_REF").or_else(|| stripped("refs/heads/")),
            tag: stripped("refs/tags/"),
            reference,
            run_id,
            actor: text("GITHUB_ACTOR"),
            repository,
            ids: text("GITHUB_REPOSITORY_OWNER_ID").zip(text("GITHUB_REPOSITORY_ID")),
            pull_request,
            run_url,
            job_url,
            bump: bump::of_labels(labels),
            reviewed: environment
                .input("reviewed-sha")
                .or_else(|| environment.get("AMI_BAKE_REVIEWED_SHA"))
                .map(str::to_owned),
            own_sha: text("GITHUB_SHA"),
            untrusted: trust::untrusted(environment, event),
            strangers: trust::strangers(environment, event),
            payload: event.clone(),
        }
    }

    /// True on the default branch, according to the event.
    pub fn is_on_default_branch(&self) -> bool {
        self.branch.is_some() && self.branch.as_deref() == self.payload["repository"]["default_branch"].as_str()
    }

    /// Why GitHub gives this run neither secrets nor an OIDC token, as the beginning of a sentence: it is for a pull
    /// request from a fork, or was started by Dependabot.
    pub fn untrusted(&self) -> Option<&str> {
        self.untrusted.as_deref()
    }

    /// Why the files that the run reads may come from a stranger, as the beginning of a sentence: they must not get
    /// access to the run's environment.
    pub fn strangers(&self) -> Option<&str> {
        self.strangers.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(variables: &[(&str, &str)], event: &Value) -> Workflow {
        Workflow::read(&Environment::of(variables.iter().copied()), event)
    }

    #[test]
    fn a_pull_request_has_its_number_head_and_labels() {
        let event = json!({"pull_request": {
            "number": 7, "head": {"sha": "1a2b3c4d", "repo": {"full_name": "Shop/images"}}, "labels": [{"name": "bump:minor"}],
        }});
        let workflow = of(
            &[("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_HEAD_REF", "fix"), ("GITHUB_REPOSITORY", "shop/images")],
            &event,
        );
        assert_eq!((workflow.branch.as_deref(), workflow.pull_request), (Some("fix"), Some(7)));
        assert_eq!((workflow.sha.as_deref(), workflow.bump), (Some("1a2b3c4d"), Some(Bump::Minor)));
        assert_eq!(workflow.untrusted(), None);
    }

    #[test]
    fn forks_and_dependabot_are_trusted_with_nothing() {
        let own = ("GITHUB_REPOSITORY", "shop/images");
        let from = |repo: Value| json!({"pull_request": {"number": 7, "head": {"sha": "1a", "repo": repo}}});
        let fork = from(json!({"full_name": "eve/images"}));
        assert_eq!(of(&[own], &fork).untrusted(), Some("This pull request comes from the fork eve/images"));
        assert!(of(&[own], &from(Value::Null)).untrusted().unwrap().contains("deleted fork"));
        let target = of(&[own, ("GITHUB_EVENT_NAME", "pull_request_target")], &fork);
        assert!(target.untrusted().is_none());
        let bot = ("GITHUB_ACTOR", "dependabot[bot]");
        assert!(of(&[own, bot], &Value::Null).untrusted().unwrap().contains("Dependabot"));
        assert_eq!(of(&[own, bot, ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://x")], &Value::Null).untrusted(), None);
    }

    #[test]
    fn files_of_strangers_are_known_in_every_event_that_has_secrets() {
        let own = ("GITHUB_REPOSITORY", "shop/images");
        let event = |name| ("GITHUB_EVENT_NAME", name);
        let after = |repository: Value| json!({"workflow_run": {"head_repository": repository}});
        let strangers = |name, payload: &Value| of(&[own, event(name)], payload).strangers().map(str::to_owned);
        assert!(strangers("pull_request_target", &Value::Null).is_some());
        assert!(strangers("issue_comment", &Value::Null).is_some());
        let fork = after(json!({"full_name": "eve/images"}));
        assert_eq!(strangers("workflow_run", &fork).as_deref(), Some("This run follows a run of the fork eve/images"));
        assert!(strangers("workflow_run", &after(Value::Null)).is_some());
        assert!(strangers("workflow_run", &after(json!({"full_name": "Shop/images"}))).is_none());
        let pull = |head| json!({"pull_request": {"number": 7, "head": {"sha": "1a", "repo": {"full_name": head}}}});
        assert!(strangers("pull_request", &pull("eve/images")).is_some());
        assert!(strangers("pull_request", &Value::Null).is_some());
        assert!(strangers("pull_request", &pull("shop/images")).is_none());
        for trusted in ["push", "schedule", "workflow_dispatch", "release"] {
            assert!(strangers(trusted, &Value::Null).is_none(), "{trusted}");
        }
    }

    #[test]
    fn a_missing_event_file_is_made_up_for() {
        let workflow = Workflow::of(&Environment::of([
            ("GITHUB_EVENT_PATH", "/nowhere/event.json"),
            ("GITHUB_REF", "refs/pull/9/merge"),
            ("GITHUB_SERVER_URL", "https://github.example.com"),
            ("GITHUB_REPOSITORY", "a/b"),
            ("GITHUB_RUN_ID", "5"),
        ]));
        assert_eq!(workflow.pull_request, Some(9));
        assert_eq!(workflow.run_url.as_deref(), Some("https://github.example.com/a/b/actions/runs/5"));
    }
}
