//! Whether a run executes code of strangers.

use serde_json::Value;

use crate::runner::Environment;

/// GitHub's own bot; its runs get no more rights than a fork's.
const DEPENDABOT: &str = "dependabot[bot]";

/// Why GitHub gives a run no credentials, as the beginning of a sentence. None when it does.
pub(super) fn untrusted(environment: &Environment, event: &Value) -> Option<String> {
    let pull_request = &event["pull_request"];
    // These events run the workflow of the default branch, with all of its rights.
    if matches!(environment.get("GITHUB_EVENT_NAME"), Some("pull_request_target" | "workflow_run")) {
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
