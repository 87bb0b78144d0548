//! Explains why a job has no OIDC token, and how to get one.

use crate::event::Workflow;
use crate::runner::Environment;

/// Help when the runner names no token endpoint; `None` when it does, and outside of workflows.
pub fn help_without(environment: &Environment, workflow: &Workflow) -> Option<String> {
    if !environment.in_workflow() || environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_some() {
        return None;
    }
    if let Some(why) = workflow.untrusted() {
        return Some(format!(
            "{why}. GitHub gives such runs neither secrets nor an OIDC token. `on-fork: check` validates the pull request \
             without credentials. To bake it, merge it, or push it to a branch of this repository."
        ));
    }
    Some(
        "The job has no permission to get an OIDC token. Setting any permission sets all others to none, so list all that the \
         job needs, in the workflow or the job (a called workflow has no more permissions than its caller):\n\n\
         permissions:\n  id-token: write        # to assume the role\n  contents: read\n  pull-requests: write   # for the comment\n"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fork_gets_other_advice_than_a_missing_permission() {
        let environment = Environment::of([("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "shop/images")]);
        let own = Workflow::read(&environment, &json!({}));
        assert!(help_without(&environment, &own).unwrap().contains("id-token: write"));
        let event = json!({"pull_request": {"number": 7, "head": {"sha": "1a", "repo": {"full_name": "eve/images"}}}});
        let help = help_without(&environment, &Workflow::read(&environment, &event)).unwrap();
        assert!(help.contains("from the fork eve/images") && !help.contains("id-token: write"), "{help}");
        let with = Environment::of([("GITHUB_ACTIONS", "true"), ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://x/?a=b")]);
        assert_eq!(help_without(&with, &own), None);
        assert_eq!(help_without(&Environment::default(), &own), None);
    }
}
