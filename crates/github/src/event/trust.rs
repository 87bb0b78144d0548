//! Whether a run executes code of strangers.

use serde_json::Value;

use crate::runner::Environment;

/// GitHub's own bot; its runs get no more rights than a fork's.
const DEPENDABOT: &str = "dependabot[bot]";

/// Events that others can cause, and whose workflow has the rights of the default branch: what is checked out decides
/// whether its code may use them (GitHub, "Securely using pull_request_target" and "Events that trigger workflows").
const OF_ANYBODY: [&str; 11] = [
    "pull_request_target",
    "issue_comment",
    "workflow_run",
    "issues",
    "discussion",
    "discussion_comment",
    "fork",
    "watch",
    "check_run",
    "check_suite",
    "status",
];

/// Why GitHub gives a run no credentials, as the beginning of a sentence. None when it does.
pub(super) fn untrusted(environment: &Environment, event: &Value) -> Option<String> {
    let pull_request = &event["pull_request"];
    if environment.get("GITHUB_EVENT_NAME").is_some_and(is_of_anybody) {
        return None;
    }
    if pull_request.is_object() {
        let head = pull_request["head"]["repo"]["full_name"].as_str();
        match (head, environment.get("GITHUB_REPOSITORY")) {
            (None, _) => return Some("This pull request comes from a deleted fork".to_owned()),
            (Some(head), Some(own)) if !head.eq_ignore_ascii_case(own) => {
                return Some(format!("This pull request comes from the fork {head}"));
            }
            _ => {}
        }
    }
    // A workflow can raise Dependabot's permissions: then there is an OIDC endpoint.
    let alone = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_none();
    (alone && environment.get("GITHUB_ACTOR") == Some(DEPENDABOT))
        .then(|| "This run was started by Dependabot".to_owned())
}

/// True when anybody can start a run on this event with the rights of the default branch.
pub(super) fn is_of_anybody(event: &str) -> bool {
    OF_ANYBODY.contains(&event)
}
