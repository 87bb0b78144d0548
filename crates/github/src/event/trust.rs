//! Whose code a run has in its hands.

use serde_json::Value;

use crate::runner::Environment;

/// GitHub's own bot; its runs get what a fork's get.
const DEPENDABOT: &str = "dependabot[bot]";

/// Why GitHub trusts a run with nothing, as the begin of a sentence; none where it does.
pub(super) fn untrusted(environment: &Environment, event: &Value) -> Option<String> {
    let pull_request = &event["pull_request"];
    // These events run the default branch's workflow, with everything that it may do.
    if matches!(environment.get("GITHUB_EVENT_NAME"), Some("pull_request_target" | "workflow_run")) {
        return None;
    }
    if pull_request.is_object() {
        let head = pull_request["head"]["repo"]["full_name"].as_str();
        match (head, environment.get("GITHUB_REPOSITORY")) {
            (None, _) => return Some("This pull request comes from a fork that is gone".to_owned()),
            (Some(head), Some(own)) if !head.eq_ignore_ascii_case(own) => {
                return Some(format!("This pull request comes from the fork {head}"));
            }
            _ => {}
        }
    }
    // Who raises Dependabot's permissions in the workflow has an identity for it.
    let alone = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_none();
    (alone && environment.get("GITHUB_ACTOR") == Some(DEPENDABOT))
        .then(|| "This run was started by Dependabot".to_owned())
}
