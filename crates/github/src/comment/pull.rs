//! Finds the pull request of a workflow run.

use ami_bake_core::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Api, percent};

/// A pull request to comment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Number of the pull request.
    pub number: u64,
    /// True when its code comes from another repository.
    pub fork: bool,
    /// The URL of the run that baked, if it is not this one.
    pub run_url: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    number: u64,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

/// The pull request of an event. For `workflow_run` it is that of the first workflow's run, found by its head: the
/// event does not name pull requests from forks. None when the run has no pull request, or that has newer commits.
///
/// # Errors
/// When the API fails.
pub async fn of_event(api: &Api, event: &Value) -> Result<Option<Pull>> {
    if let Some(number) = event["pull_request"]["number"].as_u64() {
        let base = event["repository"]["full_name"].as_str();
        let fork = event["pull_request"]["head"]["repo"]["full_name"].as_str() != base;
        return Ok(Some(Pull { number, fork, run_url: None }));
    }
    // In the event of a comment, the pull request is called an issue.
    if let (Some(number), true) = (event["issue"]["number"].as_u64(), event["issue"]["pull_request"].is_object()) {
        return Ok(Some(Pull { number, fork: false, run_url: None }));
    }
    let run = &event["workflow_run"];
    if !run["event"].as_str().is_some_and(|event| event.starts_with("pull_request")) {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (Some(sha), Some(branch), Some(owner)) =
        (text(&run["head_sha"]), text(&run["head_branch"]), text(&run["head_repository"]["owner"]["login"]))
    else {
        return Err(Error::usage("the workflow's event has no head commit of a pull request")
            .help("Run this on `workflow_run`, or use --pull-request NUMBER."));
    };
    let fork = run["head_repository"]["full_name"] != event["repository"]["full_name"];
    let run_url = text(&run["html_url"]);
    let head = percent(&format!("{owner}:{branch}"), b"");
    let what = format!("could not find the pull request of {owner}:{branch} in {}", api.repository());
    let open: Vec<Listed> = api.list(&what, &format!("pulls?state=open&head={head}"), 1).await?;
    let number = open.into_iter().find(|pull| pull.head.sha == sha).map(|pull| pull.number);
    Ok(number.map(|number| Pull { number, fork, run_url }))
}
