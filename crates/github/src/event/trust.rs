//! Determines whether a run may execute code of strangers.

use serde_json::Value;

use crate::runner::Environment;

/// Login of GitHub's Dependabot; its runs have no more rights than a fork's.
const DEPENDABOT: &str = "dependabot[bot]";

/// Events that others can cause, and whose workflow has the rights of the default branch: the checked-out commit
/// decides whether its code may use them (GitHub, "Securely using pull_request_target" and "Events that trigger
/// workflows").
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

/// Why the files that a run reads may come from a stranger, although the repository's secrets may be in its
/// environment, as the beginning of a sentence. GitHub advises not to trust them ("Security hardening for GitHub
/// Actions").
pub(super) fn strangers(environment: &Environment, event: &Value) -> Option<String> {
    let own = environment.get("GITHUB_REPOSITORY").unwrap_or_default();
    match environment.get("GITHUB_EVENT_NAME") {
        Some("pull_request_target") => Some("Under pull_request_target, the files may be anyone's".to_owned()),
        Some("workflow_run") => match event["workflow_run"]["head_repository"]["full_name"].as_str() {
            Some(head) if head.eq_ignore_ascii_case(own) => None,
            Some(head) => Some(format!("This run follows a run of the fork {head}")),
            None => Some("This run follows a run of an unknown repository".to_owned()),
        },
        Some(event) if is_of_anybody(event) => Some(format!("Anyone can start a run on {event}")),
        Some("pull_request") if !event["pull_request"].is_object() => {
            Some("This pull request may come from a fork".to_owned())
        }
        _ => untrusted(environment, event),
    }
}

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
    // A workflow can raise Dependabot's permissions; then there is an OIDC endpoint.
    let alone = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_none();
    (alone && environment.get("GITHUB_ACTOR") == Some(DEPENDABOT))
        .then(|| "This run was started by Dependabot".to_owned())
}

/// True when anybody can start a run on this event with the rights of the default branch.
pub(super) fn is_of_anybody(event: &str) -> bool {
    OF_ANYBODY.contains(&event)
}
